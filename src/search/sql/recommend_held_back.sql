-- Customers with at least two orders, and their newest one, to be held back. Cancelled orders do not
-- count. Parameter: limit. Index: ix_order_customer.
SELECT o.customer_id, MAX(o.order_id) AS newest
  FROM Orders o
 WHERE o.order_status <> 'cancelled'
 GROUP BY o.customer_id
HAVING COUNT(*) >= 2
 ORDER BY CRC32(o.customer_id), o.customer_id
 LIMIT ?
