-- Takes the EAN away from products of a range that were found with somebody else's; by the
-- findings, for the condition itself would change while it is applied. Parameters: begin, end
-- (stage_id). Indexes: primary key of Staging_Products, ix_staging_quality.
UPDATE Staging_Products s
   SET s.ean = NULL, s.corrections = s.corrections + 1
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 0
   AND EXISTS (SELECT 1 FROM Staging_Quality q
                WHERE q.stage_id = s.stage_id AND q.quality_rule = 'ean_duplicate')
