-- Lines of archived orders. Parameters: begin, end (stage_id). Indexes: primary key of
-- Staging_Order_Items, ix_archive_external.
UPDATE Staging_Order_Items s
  JOIN TR_Orders_Archive a ON a.external_id = s.order_ref
   SET s.row_class = 3
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 0
