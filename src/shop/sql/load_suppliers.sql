-- The shop's spellings of its suppliers, the oldest first. Index: primary key; all rows, a few
-- hundred.
SELECT supplier_name FROM Suppliers ORDER BY supplier_id
