-- Deletes some lines of a product of a stress run. Parameters: product, how many. Index:
-- ix_item_product.
DELETE FROM Order_Items WHERE product_id = ? LIMIT ?
