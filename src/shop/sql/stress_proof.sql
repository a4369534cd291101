-- What a stress run sold and left, and how many of its products, orders and keys are wrong.
-- Parameters: what the keys of its products and customers are like, twice. Indexes:
-- uq_product_external, uq_customer_external, ix_order_customer, uq_item_order_product,
-- ix_item_product, ix_movement_product, primary key of Order_Requests.
WITH products AS (
  SELECT p.stock_quantity,
         (SELECT SUM(m.quantity) FROM Stock_Movements m WHERE m.product_id = p.product_id) AS moved,
         (SELECT SUM(i.quantity - i.returned_quantity) FROM Order_Items i
           WHERE i.product_id = p.product_id) AS sold
    FROM Products p WHERE p.external_id LIKE ?),
customers AS (SELECT customer_id FROM Customers WHERE external_id LIKE ?),
orders AS (
  SELECT o.order_id, o.total_amount,
         (SELECT SUM(i.quantity * i.price) FROM Order_Items i WHERE i.order_id = o.order_id) AS summed
    FROM customers c JOIN Orders o ON o.customer_id = c.customer_id),
requests AS (SELECT r.order_id FROM customers c JOIN Order_Requests r ON r.customer_id = c.customer_id)
SELECT (SELECT COALESCE(SUM(sold), 0) FROM products),
       (SELECT COALESCE(SUM(stock_quantity), 0) FROM products),
       (SELECT COUNT(*) FROM products WHERE stock_quantity < 0 OR stock_quantity <> moved)
       + (SELECT COUNT(*) FROM orders WHERE NOT total_amount <=> summed)
       + (SELECT COUNT(*) FROM orders WHERE order_id NOT IN (SELECT order_id FROM requests))
       + (SELECT COUNT(*) - COUNT(DISTINCT order_id) FROM requests),
       (SELECT COUNT(*) FROM orders)
