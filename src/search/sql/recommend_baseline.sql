-- What is most popular of what can be bought: the measure that recommendations have to beat.
-- Parameters: first order that does not count, twice; how many orders; limit. Indexes: primary keys
-- of Orders and Products, uq_item_order_product.
SELECT i.product_id, COUNT(*) AS orders
  FROM Orders o
  JOIN Order_Items i ON i.order_id = o.order_id
  JOIN Products p ON p.product_id = i.product_id
 WHERE o.order_id < ?
   AND o.order_id > (SELECT COALESCE(MAX(n.order_id), 0) FROM Orders n WHERE n.order_id < ?) - ?
   AND o.order_status <> 'cancelled'
   AND p.product_status = 'active' AND (p.stock_quantity IS NULL OR p.stock_quantity > 0)
 GROUP BY i.product_id
 ORDER BY orders DESC, i.product_id
 LIMIT ?
