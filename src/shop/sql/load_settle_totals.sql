-- Totals of touched orders, from all their lines. Parameters: the last one done, the last one to do
-- (order ids). Indexes: primary keys of Staging_Touched and Orders, uq_item_order_product.
UPDATE (SELECT i.order_id, LEAST(999999999999.99, SUM(i.quantity * i.price)) AS total
          FROM Staging_Touched t
          STRAIGHT_JOIN Order_Items i ON i.order_id = t.touched_id
         WHERE t.touched_kind = 'order' AND t.touched_id > ? AND t.touched_id <= ?
         GROUP BY i.order_id) x
  JOIN Orders o ON o.order_id = x.order_id
   SET o.total_amount = x.total
 WHERE o.total_amount <> x.total
