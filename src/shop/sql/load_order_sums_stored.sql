-- Adds the lines that the shop has and this load does not name to the sums of load_order_sums.sql.
-- Parameters: begin, end (stage_id). Indexes: primary key of Staging_Orders, uq_order_external,
-- uq_item_order_product, ix_staging_order_item.
UPDATE Staging_Orders s
  STRAIGHT_JOIN Orders o ON o.external_id = s.external_id
   SET s.lines_total = LEAST(999999999999.99, COALESCE(s.lines_total, 0) +
         COALESCE((SELECT SUM(l.quantity * l.price) FROM Order_Items l
                    WHERE l.order_id = o.order_id
                      AND NOT EXISTS (SELECT 1 FROM Staging_Order_Items i
                                       WHERE i.order_ref = s.external_id
                                         AND i.product_id = l.product_id AND i.row_class = 0)), 0))
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 0
   AND (s.lines_total IS NOT NULL
        OR EXISTS (SELECT 1 FROM Order_Items k WHERE k.order_id = o.order_id))
