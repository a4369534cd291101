-- What is not as migrations made it: "view NAME", "trigger NAME". While migrations are applied, or were cut
-- off, only those that were other before them.
SELECT CONCAT(d.object_kind, ' ', d.object_name)
  FROM Access_Definitions d
  LEFT JOIN v_Access_Definitions v ON v.object_kind = d.object_kind AND v.object_name = d.object_name
 WHERE d.definition_hash <> COALESCE(v.definition_hash, '')
   AND COALESCE(d.before_hash = COALESCE(v.definition_hash, ''), TRUE)
