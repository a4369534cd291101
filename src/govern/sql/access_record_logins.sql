-- How accounts log in that were made or taken over just now: by which plugins (access_found.sql has the same text).
UPDATE Access_Objects o
  JOIN mysql.global_priv p ON o.object_name = CONCAT(p.User, '@', p.Host)
   SET o.found_hash = SHA2(CONCAT_WS(', ', COALESCE(JSON_VALUE(p.Priv, '$.plugin'), 'mysql_native_password'),
                                     REGEXP_REPLACE(JSON_EXTRACT(p.Priv, '$.auth_or[*].plugin'), '[]["]', '')), 256)
 WHERE o.object_kind = 'account' AND o.found_hash IS NULL
