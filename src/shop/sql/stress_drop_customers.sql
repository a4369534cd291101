-- Deletes some customers of a stress run, whose orders are gone. Parameters: what the keys of its customers are like, how many.
-- Indexes: uq_customer_external.
DELETE FROM Customers WHERE external_id LIKE ? LIMIT ?
