-- Orders that are archived: they were loaded before, and stay as they are. Parameters: begin, end
-- (stage_id). Indexes: primary key of Staging_Orders, ix_archive_external.
UPDATE Staging_Orders s
  JOIN TR_Orders_Archive a ON a.external_id = s.external_id
   SET s.row_class = 3
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 0
