-- Whether there is such a customer. Parameter: customer. Index: primary key.
SELECT COUNT(*) FROM Customers WHERE customer_id = ?
