-- Sum of the lines of each order of a range, as far as this load has them. Parameters: begin, end
-- (stage_id). Indexes: primary key of Staging_Orders, ix_staging_order_item.
UPDATE Staging_Orders s
   SET s.lines_total = LEAST(999999999999.99,
         (SELECT SUM(i.quantity * i.price) FROM Staging_Order_Items i
           WHERE i.order_ref = s.external_id AND i.row_class = 0))
 WHERE s.stage_id >= ? AND s.stage_id < ? AND s.row_class = 0
