-- Orders whose lines of a range are new or changed while the order itself is not in this load:
-- their totals have to be computed again. Parameters: begin, end (stage_id). Indexes: primary key
-- of Staging_Order_Items, ix_staging_order.
INSERT IGNORE INTO Staging_Touched (touched_kind, touched_id)
SELECT 'order', s.order_id
  FROM Staging_Order_Items s
  LEFT JOIN Staging_Orders o ON o.external_id = s.order_ref AND o.row_class IN (1, 2, 3)
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class IN (1, 2) AND o.stage_id IS NULL
