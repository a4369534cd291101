-- What those bought who bought a product: in how many of its orders it stood, and how many of its
-- buyers bought it at all. Of the newest orders that hold the product, so that a product that
-- everybody buys costs no more. Parameters: product, first order that does not count, customer
-- whose orders do not count, how many orders, first order that does not count, product, limit.
-- Indexes: ix_item_product, ix_order_customer, uq_item_order_product.
SELECT i.product_id,
       COUNT(DISTINCT CASE WHEN o.order_id = b.order_id THEN o.order_id END) AS orders,
       COUNT(DISTINCT o.customer_id) AS customers
  FROM (SELECT a.order_id, p.customer_id
          FROM Order_Items a
          JOIN Orders p ON p.order_id = a.order_id
         WHERE a.product_id = ? AND a.order_id < ? AND p.customer_id <> ?
           AND p.order_status <> 'cancelled'
         ORDER BY a.order_id DESC
         LIMIT ?) b
  JOIN Orders o ON o.customer_id = b.customer_id AND o.order_status <> 'cancelled' AND o.order_id < ?
  JOIN Order_Items i ON i.order_id = o.order_id
 WHERE i.product_id <> ?
 GROUP BY i.product_id
 ORDER BY customers DESC, orders DESC, i.product_id
 LIMIT ?
