-- A product of a stress run. Parameters: its key, stock.
INSERT INTO Products (supplier_id, category_id, external_id, product_name, price, stock_quantity)
SELECT s.supplier_id, c.category_id, ?, 'Stress test', 9.99, ?
  FROM Suppliers s JOIN Categories c ON c.category_slug = 'stress-test'
 WHERE s.supplier_name = 'Stress test'
