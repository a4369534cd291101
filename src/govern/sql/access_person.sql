-- An account is a customer. Parameters: account, customer.
INSERT INTO Access_People (account_name, customer_id) VALUES (?, ?)
ON DUPLICATE KEY UPDATE customer_id = VALUES(customer_id)
