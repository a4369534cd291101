-- Before migrations: how each view, routine, trigger and event is. What a run that was cut off has noted stays.
UPDATE Access_Definitions d
  LEFT JOIN v_Access_Definitions v ON v.object_kind = d.object_kind AND v.object_name = d.object_name
   SET d.before_hash = COALESCE(v.definition_hash, '')
 WHERE d.before_hash IS NULL
