-- What a customer bought, the newest first, once each. Cancelled orders do not count. Parameters:
-- customer, first order that does not count, limit. Indexes: ix_order_customer, uq_item_order_product.
SELECT i.product_id, MAX(o.order_id) AS newest
  FROM Orders o
  JOIN Order_Items i ON i.order_id = o.order_id
 WHERE o.customer_id = ? AND o.order_status <> 'cancelled' AND o.order_id < ?
 GROUP BY i.product_id
 ORDER BY newest DESC, i.product_id
 LIMIT ?
