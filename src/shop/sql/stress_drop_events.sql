-- Deletes some events of a stress run. Parameters: what the keys of its customers are like, how many.
-- Indexes: uq_customer_external, ix_order_customer, ix_event_order.
DELETE FROM Order_Events
 WHERE order_id IN (SELECT o.order_id FROM Customers c JOIN Orders o ON o.customer_id = c.customer_id
                     WHERE c.external_id LIKE ?)
 LIMIT ?
