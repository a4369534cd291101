-- Customers of a range that the shop knows under another key, by their e-mail: what refers to their
-- key from now on means the shop's row. Parameters: begin, end (stage_id). Indexes: primary keys of
-- Staging_Customers and Feed_Aliases, ix_staging_quality, uq_customer_email.
INSERT INTO Feed_Aliases (entity, external_id, target_id)
SELECT 'customers', s.external_id, c.customer_id
  FROM Staging_Customers s
  STRAIGHT_JOIN Staging_Quality q ON q.stage_id = s.stage_id AND q.quality_rule = 'email_duplicate'
  STRAIGHT_JOIN Customers c ON c.email = s.email
 WHERE s.stage_id >= ? AND s.stage_id < ?
ON DUPLICATE KEY UPDATE target_id = VALUES(target_id)
