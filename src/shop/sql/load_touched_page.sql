-- The end of the next page of touched rows; NULL: none is left. Parameters: kind, the last one
-- done, rows of a page. Index: primary key.
SELECT MAX(x.touched_id)
  FROM (SELECT touched_id FROM Staging_Touched
         WHERE touched_kind = ? AND touched_id > ?
         ORDER BY touched_id LIMIT ?) x
