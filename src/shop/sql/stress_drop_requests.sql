-- Deletes some keys of a stress run. Parameters: what the keys of its customers are like, how many.
-- Indexes: uq_customer_external, primary key of Order_Requests.
DELETE FROM Order_Requests
 WHERE customer_id IN (SELECT customer_id FROM Customers WHERE external_id LIKE ?)
 LIMIT ?
