-- After migrations: what is another one than before them was made so by one.
UPDATE Access_Definitions d
  JOIN v_Access_Definitions v ON v.object_kind = d.object_kind AND v.object_name = d.object_name
   SET d.definition_hash = v.definition_hash
 WHERE d.before_hash <> v.definition_hash
