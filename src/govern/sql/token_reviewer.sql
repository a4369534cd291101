-- Whose review it is; NULL: it is gone. Parameter: review. Index: primary key.
SELECT MAX(customer_id) FROM Reviews WHERE review_id = ?
