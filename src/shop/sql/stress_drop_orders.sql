-- Deletes some orders of a stress run, whose lines are gone. Parameters: what the keys of its customers are like, how many.
-- Indexes: uq_customer_external, ix_order_customer.
DELETE FROM Orders
 WHERE customer_id IN (SELECT customer_id FROM Customers WHERE external_id LIKE ?)
 LIMIT ?
