-- Whether there is such a product. Parameter: product. Index: primary key.
SELECT COUNT(*) FROM Products WHERE product_id = ?
