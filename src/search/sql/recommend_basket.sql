-- What an order holds. Parameter: order. Index: uq_item_order_product.
SELECT product_id FROM Order_Items WHERE order_id = ? ORDER BY product_id
