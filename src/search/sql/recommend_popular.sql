-- How many of the newest orders hold each product, most first. Cancelled ones do not count.
-- Parameters: first order that does not count, twice; how many orders; limit. Indexes: primary key of
-- Orders, uq_item_order_product.
SELECT i.product_id, COUNT(*) AS orders
  FROM Orders o
  JOIN Order_Items i ON i.order_id = o.order_id
 WHERE o.order_id < ?
   AND o.order_id > (SELECT COALESCE(MAX(n.order_id), 0) FROM Orders n WHERE n.order_id < ?) - ?
   AND o.order_status <> 'cancelled'
 GROUP BY i.product_id
 ORDER BY orders DESC, i.product_id
 LIMIT ?
