-- After migrations: what was there before them and is not was dropped by one.
DELETE d FROM Access_Definitions d
  LEFT JOIN v_Access_Definitions v ON v.object_kind = d.object_kind AND v.object_name = d.object_name
 WHERE d.before_hash <> '' AND v.object_name IS NULL
