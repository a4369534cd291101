-- A product of a stress run that has lines. Parameter: what the keys of its products are like. Indexes:
-- uq_product_external, ix_item_product.
SELECT p.product_id FROM Products p
 WHERE p.external_id LIKE ? AND EXISTS (SELECT 1 FROM Order_Items i WHERE i.product_id = p.product_id)
 LIMIT 1
