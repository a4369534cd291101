-- Products whose reviews of a range are new or changed, also those that a changed review belonged
-- to: their ratings have to be computed again. Parameters: begin, end (stage_id), both again.
-- Indexes: primary keys of Staging_Reviews and Reviews.
INSERT IGNORE INTO Staging_Touched (touched_kind, touched_id)
SELECT 'product', s.product_id
  FROM Staging_Reviews s
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class IN (1, 2)
UNION
SELECT 'product', t.product_id
  FROM Staging_Reviews s
  STRAIGHT_JOIN Reviews t ON t.review_id = s.target_id
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 2
