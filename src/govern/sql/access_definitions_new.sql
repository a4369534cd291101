-- After migrations: what nobody knew.
INSERT INTO Access_Definitions (object_kind, object_name, definition_hash)
SELECT v.object_kind, v.object_name, v.definition_hash
  FROM v_Access_Definitions v
  LEFT JOIN Access_Definitions d ON d.object_kind = v.object_kind AND d.object_name = v.object_name
 WHERE d.object_name IS NULL
