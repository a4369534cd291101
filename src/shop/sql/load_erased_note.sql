-- Keys under which people who were erased came with their e-mail address: what else comes under them is theirs,
-- now and later. Not the key of somebody whom the shop has. Parameters: begin, end (stage_id), twice. Indexes:
-- the primary keys, uq_customer_external.
INSERT IGNORE INTO Erased_Keys (fingerprint, erasure_id)
SELECT CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           x'01', WEIGHT_STRING(RTRIM(s.feed_key) COLLATE utf8mb4_unicode_ci)), 256))), 256) USING ascii), k.erasure_id
  FROM (SELECT t.feed_key, CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner, IF(w.is_folded,
               CONCAT(x'01', WEIGHT_STRING(RTRIM(t.email) COLLATE utf8mb4_unicode_ci)), CAST(t.email AS BINARY))),
               256))), 256) USING ascii) AS fingerprint
          FROM (SELECT external_id AS feed_key, email FROM Staging_Customers
                 WHERE stage_id >= ? AND stage_id < ? AND email IS NOT NULL
                UNION
                SELECT owner_key, owner_email FROM Staging_Quality
                 WHERE stage_id >= ? AND stage_id < ? AND entity = 'customers' AND owner_key IS NOT NULL
                   AND owner_email IS NOT NULL) t
          JOIN (SELECT TRUE AS is_folded UNION ALL SELECT FALSE) w) s
  STRAIGHT_JOIN Erased_Keys k ON k.fingerprint = s.fingerprint
 WHERE NOT EXISTS (SELECT 1 FROM Customers c WHERE c.external_id = s.feed_key)
   AND NOT EXISTS (SELECT 1 FROM Feed_Aliases a WHERE a.entity = 'customers' AND a.external_id = s.feed_key)
