-- The names of a customer's accounts. Parameter: customer. A few rows in all: no index.
SELECT DISTINCT LEFT(account_name, CHAR_LENGTH(account_name) - LOCATE('@', REVERSE(account_name)))
  FROM Access_People
 WHERE customer_id = ?
