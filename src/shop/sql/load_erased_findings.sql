-- Rows that were rejected before they were staged, and are of people who were erased: what is logged of them is
-- that. Parameters: rule, severity, action, begin, end (stage_id). Indexes: ix_staging_quality, and the primary key
-- of Erased_Keys, fingerprint by fingerprint: of a list it would look through all. They are those of load_sql.c.
INSERT INTO Staging_Quality (stage_id, quality_rule, severity, quality_action, entity, entity_key, file_no, line_number)
SELECT q.stage_id, ?, ?, ?, q.entity, 'erased', MAX(q.file_no), MAX(q.line_number)
  FROM Staging_Quality q
 WHERE q.stage_id >= ? AND q.stage_id < ? AND q.quality_action = 'rejected'
   AND (EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint =
         CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           x'01', WEIGHT_STRING(RTRIM(q.owner_key) COLLATE utf8mb4_unicode_ci)), 256))), 256) USING ascii))
     OR EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint =
         CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           q.owner_key), 256))), 256) USING ascii))
     OR EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint =
         CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           x'01', WEIGHT_STRING(RTRIM(q.owner_email) COLLATE utf8mb4_unicode_ci)), 256))), 256) USING ascii))
     OR EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint =
         CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           q.owner_email), 256))), 256) USING ascii))
     OR EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint =
         CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner,
           x'02', WEIGHT_STRING(RTRIM(q.order_key) COLLATE utf8mb4_unicode_ci)), 256))), 256) USING ascii)))
   AND NOT EXISTS (SELECT 1 FROM Staging_Quality e WHERE e.stage_id = q.stage_id AND e.quality_rule = 'subject_erased')
 GROUP BY q.stage_id, q.entity
