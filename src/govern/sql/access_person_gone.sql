-- An account is that customer no more. Parameters: account, customer.
DELETE FROM Access_People WHERE account_name = ? AND customer_id = ?
