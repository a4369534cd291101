-- The figures that a shop reads every morning. Money is never added over currencies: every figure has
-- its currency. Revenue is what was charged less what was given back, of orders that were paid; a
-- returned order gives nothing, one that is pending or cancelled is no sale. Archived orders count.

CREATE VIEW v_Sales AS
SELECT order_id, customer_id, address_id, order_date, order_status, currency, sales_channel, ship_country,
       IF(order_status = 'returned', 0, total_amount - refunded_amount) AS amount, 0 AS is_archived
  FROM Orders WHERE order_status NOT IN ('pending', 'cancelled')
UNION ALL
SELECT order_id, customer_id, address_id, order_date, order_status, currency, sales_channel, ship_country,
       IF(order_status = 'returned', 0, total_amount - refunded_amount), 1
  FROM TR_Orders_Archive WHERE order_status NOT IN ('pending', 'cancelled');

-- What was sold and stayed sold. In the archive the date tells in which partition an order's lines are.
CREATE VIEW v_Sold_Lines AS
SELECT o.order_id, o.customer_id, o.order_date, o.currency, i.product_id,
       IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity) AS quantity,
       IF(o.order_status = 'returned', i.quantity, i.returned_quantity) AS returned_quantity, i.price
  FROM Orders o JOIN Order_Items i ON i.order_id = o.order_id
 WHERE o.order_status NOT IN ('pending', 'cancelled')
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.currency, i.product_id,
       IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity),
       IF(o.order_status = 'returned', i.quantity, i.returned_quantity), i.price
  FROM TR_Orders_Archive o JOIN TR_Order_Items_Archive i ON i.order_id = o.order_id AND i.order_date = o.order_date
 WHERE o.order_status NOT IN ('pending', 'cancelled');

CREATE VIEW v_QuarterlySales AS
SELECT YEAR(order_date) AS sales_year, QUARTER(order_date) AS sales_quarter, currency, COUNT(*) AS orders,
       SUM(amount) AS revenue, ROUND(AVG(amount), 2) AS average_order
  FROM v_Sales GROUP BY YEAR(order_date), QUARTER(order_date), currency;

CREATE VIEW v_TopProducts AS
SELECT x.product_id, p.product_name, x.currency, x.units, x.revenue,
       RANK() OVER (PARTITION BY x.currency ORDER BY x.revenue DESC) AS place
  FROM (SELECT product_id, currency, SUM(quantity) AS units, SUM(quantity * price) AS revenue
          FROM v_Sold_Lines GROUP BY product_id, currency) x
  JOIN Products p ON p.product_id = x.product_id;

CREATE VIEW v_LowStock AS
SELECT p.product_id, p.product_name, s.supplier_name, p.stock_quantity, p.reserved_quantity,
       p.stock_quantity - p.reserved_quantity AS available
  FROM Products p JOIN Suppliers s ON s.supplier_id = p.supplier_id
 WHERE p.product_status = 'active' AND p.stock_quantity - p.reserved_quantity <= 5;

-- Each category with all that stand below it.
CREATE VIEW v_CategoryRevenue AS
WITH RECURSIVE below (top_id, category_id) AS (
  SELECT category_id, category_id FROM Categories
  UNION ALL
  SELECT b.top_id, c.category_id FROM below b JOIN Categories c ON c.parent_id = b.category_id),
sold AS (
  SELECT p.category_id, l.currency, SUM(l.quantity) AS units, SUM(l.quantity * l.price) AS revenue
    FROM v_Sold_Lines l JOIN Products p ON p.product_id = l.product_id
   GROUP BY p.category_id, l.currency)
SELECT c.category_id, c.parent_id, c.category_name, s.currency, SUM(s.units) AS units, SUM(s.revenue) AS revenue
  FROM sold s JOIN below b ON b.category_id = s.category_id JOIN Categories c ON c.category_id = b.top_id
 GROUP BY c.category_id, c.parent_id, c.category_name, s.currency;

CREATE VIEW V_Public_Product_Catalog AS
SELECT p.product_id, p.product_kind, p.product_name, s.supplier_name, c.category_name, p.price, p.currency,
       p.product_description, p.image_url, p.current_rating, COALESCE(r.rating_count, 0) AS rating_count,
       p.product_kind = 'service' OR p.stock_quantity > p.reserved_quantity AS is_available
  FROM Products p
  JOIN Suppliers s ON s.supplier_id = p.supplier_id
  JOIN Categories c ON c.category_id = p.category_id
  LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
 WHERE p.product_status = 'active';

CREATE VIEW V_Sales_And_Reviews_Summary AS
SELECT p.product_id, p.product_name, l.currency, COALESCE(l.units, 0) AS units, COALESCE(l.revenue, 0) AS revenue,
       COALESCE(r.rating_count, 0) AS rating_count, p.current_rating
  FROM Products p
  LEFT JOIN (SELECT product_id, currency, SUM(quantity) AS units, SUM(quantity * price) AS revenue
               FROM v_Sold_Lines GROUP BY product_id, currency) l ON l.product_id = p.product_id
  LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id;

CREATE VIEW V_Supplier_Performance_Review AS
SELECT s.supplier_id, s.supplier_name, l.currency, COALESCE(l.units, 0) AS units, COALESCE(l.revenue, 0) AS revenue,
       COALESCE(l.returned_units, 0) AS returned_units, q.products, q.rating_count,
       ROUND(q.rating_sum / NULLIF(q.rating_count, 0), 2) AS average_rating
  FROM Suppliers s
  JOIN (SELECT p.supplier_id, COUNT(*) AS products, COALESCE(SUM(r.rating_count), 0) AS rating_count,
               COALESCE(SUM(r.rating_sum), 0) AS rating_sum
          FROM Products p LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
         GROUP BY p.supplier_id) q ON q.supplier_id = s.supplier_id
  LEFT JOIN (SELECT p.supplier_id, x.currency, SUM(x.quantity) AS units, SUM(x.quantity * x.price) AS revenue,
                    SUM(x.returned_quantity) AS returned_units
               FROM v_Sold_Lines x JOIN Products p ON p.product_id = x.product_id
              GROUP BY p.supplier_id, x.currency) l ON l.supplier_id = s.supplier_id;

CREATE VIEW V_Customer_Value_Summary AS
SELECT customer_id, currency, COUNT(*) AS orders, SUM(amount) AS lifetime_value, ROUND(AVG(amount), 2) AS average_order,
       MIN(order_date) AS first_order, MAX(order_date) AS last_order
  FROM v_Sales GROUP BY customer_id, currency;

CREATE VIEW V_Customer_Order_History AS
SELECT customer_id, order_id, order_date, order_status, payment_status, total_amount, refunded_amount, currency,
       0 AS is_archived FROM Orders
UNION ALL
SELECT customer_id, order_id, order_date, order_status, payment_status, total_amount, refunded_amount, currency,
       1 FROM TR_Orders_Archive;

CREATE VIEW V_Order_Status_Dashboard AS
SELECT order_status, currency, COUNT(*) AS orders, SUM(total_amount) AS total_amount,
       SUM(refunded_amount) AS refunded_amount, MIN(order_date) AS oldest, MAX(order_date) AS newest
  FROM V_Customer_Order_History GROUP BY order_status, currency;

-- Where it was sent: as it was when it was ordered, else the address that the order names.
CREATE VIEW V_Geographic_Sales_Report AS
SELECT COALESCE(s.ship_country, a.country) AS country, s.currency, COUNT(*) AS orders,
       COUNT(DISTINCT s.customer_id) AS customers, SUM(s.amount) AS revenue
  FROM v_Sales s LEFT JOIN Customer_Addresses a ON a.address_id = s.address_id
 GROUP BY COALESCE(s.ship_country, a.country), s.currency;

-- What an order's lines come to, what was charged, what was given back, what is still to be paid.
CREATE VIEW V_Order_Balance_Sheet AS
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.payment_status, o.currency,
       (SELECT COALESCE(SUM(i.quantity * i.price), 0) FROM Order_Items i WHERE i.order_id = o.order_id) AS lines_total,
       o.total_amount, o.refunded_amount,
       IF(o.payment_status = 'open', o.total_amount, 0) AS due_amount, 0 AS is_archived
  FROM Orders o
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.payment_status, o.currency,
       (SELECT COALESCE(SUM(i.quantity * i.price), 0) FROM TR_Order_Items_Archive i
         WHERE i.order_id = o.order_id AND i.order_date = o.order_date),
       o.total_amount, o.refunded_amount, IF(o.payment_status = 'open', o.total_amount, 0), 1
  FROM TR_Orders_Archive o;

DELIMITER //

CREATE FUNCTION f_get_product_avg_rating(p_product_id BIGINT UNSIGNED)
RETURNS DECIMAL(3,2) READS SQL DATA
RETURN (SELECT ROUND(rating_sum / NULLIF(rating_count, 0), 2) FROM Product_Rating_Summary
         WHERE product_id = p_product_id)//

-- Of all reviews of a supplier's products.
CREATE FUNCTION f_get_company_avg_rating(p_supplier_id INT UNSIGNED)
RETURNS DECIMAL(3,2) READS SQL DATA
RETURN (SELECT ROUND(SUM(r.rating_sum) / NULLIF(SUM(r.rating_count), 0), 2)
          FROM Products p JOIN Product_Rating_Summary r ON r.product_id = p.product_id
         WHERE p.supplier_id = p_supplier_id)//

-- What the lines of an order come to, archived or not; NULL: there is no such order.
CREATE FUNCTION f_get_order_total(p_order_id BIGINT UNSIGNED)
RETURNS DECIMAL(14,2) READS SQL DATA
RETURN (SELECT SUM(amount)
          FROM (SELECT 0 AS amount FROM Orders WHERE order_id = p_order_id
                UNION ALL SELECT 0 FROM TR_Orders_Archive WHERE order_id = p_order_id
                UNION ALL SELECT quantity * price FROM Order_Items WHERE order_id = p_order_id
                UNION ALL SELECT quantity * price FROM TR_Order_Items_Archive WHERE order_id = p_order_id) x)//

-- Of one currency: money of two is not added.
CREATE FUNCTION f_get_customer_lifetime_value(p_customer_id BIGINT UNSIGNED, p_currency CHAR(3))
RETURNS DECIMAL(14,2) READS SQL DATA
RETURN (SELECT COALESCE(SUM(amount), 0) FROM v_Sales WHERE customer_id = p_customer_id AND currency = p_currency)//

-- service, retired, out of stock, low stock (five or fewer), in stock; NULL: there is no such product.
CREATE FUNCTION f_get_stock_status(p_product_id BIGINT UNSIGNED)
RETURNS VARCHAR(12) READS SQL DATA
RETURN (SELECT CASE WHEN product_status = 'retired' THEN 'retired'
                    WHEN product_kind = 'service' THEN 'service'
                    WHEN stock_quantity <= reserved_quantity THEN 'out of stock'
                    WHEN stock_quantity - reserved_quantity <= 5 THEN 'low stock'
                    ELSE 'in stock' END
          FROM Products WHERE product_id = p_product_id)//

CREATE PROCEDURE sp_get_total_revenue()
READS SQL DATA
SELECT currency, COUNT(*) AS orders, SUM(amount) AS revenue FROM v_Sales GROUP BY currency ORDER BY currency//

CREATE PROCEDURE sp_get_monthly_revenue(p_year INT)
READS SQL DATA
SELECT MONTH(order_date) AS sales_month, currency, COUNT(*) AS orders, SUM(amount) AS revenue
  FROM v_Sales
 WHERE order_date >= CONCAT(p_year, '-01-01') AND order_date < CONCAT(p_year + 1, '-01-01')
 GROUP BY MONTH(order_date), currency ORDER BY sales_month, currency//

CREATE PROCEDURE sp_get_orders_in_month(p_year INT, p_month INT)
READS SQL DATA
SELECT * FROM V_Customer_Order_History
 WHERE order_date >= CONCAT(p_year, '-', p_month, '-01')
   AND order_date < CONCAT(p_year, '-', p_month, '-01') + INTERVAL 1 MONTH
 ORDER BY order_date, order_id//

-- Of the state, province or region that they were sent to.
CREATE PROCEDURE sp_get_orders_by_state(p_state VARCHAR(80))
READS SQL DATA
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM Orders o LEFT JOIN Customer_Addresses a ON a.address_id = o.address_id
 WHERE COALESCE(o.ship_state, a.state) = p_state
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM TR_Orders_Archive o LEFT JOIN Customer_Addresses a ON a.address_id = o.address_id
 WHERE COALESCE(o.ship_state, a.state) = p_state
 ORDER BY 3, 1//

-- Day by day, and what they come to.
CREATE PROCEDURE sp_calculate_running_sales_total(p_from DATE, p_until DATE)
READS SQL DATA
SELECT sales_date, currency, revenue,
       SUM(revenue) OVER (PARTITION BY currency ORDER BY sales_date) AS running_total
  FROM (SELECT DATE(order_date) AS sales_date, currency, SUM(amount) AS revenue
          FROM v_Sales WHERE order_date >= p_from AND order_date < p_until + INTERVAL 1 DAY
         GROUP BY DATE(order_date), currency) x
 ORDER BY currency, sales_date//

-- Within a transaction: the order is locked before its line, as by all (sql/080). The line's triggers take
-- or give back the difference.
CREATE PROCEDURE sp_TryQuantity(p_order_item_id BIGINT UNSIGNED, p_quantity BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_order_id BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(20);
  DECLARE v_ordered, v_returned INT;
  DECLARE v_message VARCHAR(500);

  SELECT MAX(order_id) INTO v_order_id FROM Order_Items WHERE order_item_id = p_order_item_id;
  IF v_order_id IS NOT NULL THEN
    CALL sp_LockOrder(v_order_id, v_status);
  END IF;
  SELECT MAX(quantity), MAX(returned_quantity) INTO v_ordered, v_returned FROM Order_Items
   WHERE order_item_id = p_order_item_id AND order_id = v_order_id FOR UPDATE;
  IF v_returned IS NULL THEN
    SET v_message = CONCAT('line ', COALESCE(p_order_item_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45013' SET MESSAGE_TEXT = v_message;
  END IF;
  IF v_status IN ('cancelled', 'returned') THEN
    CALL sp_RefuseState(v_order_id, v_status, 'change its lines');
  END IF;
  IF p_quantity < v_returned THEN
    SET v_message = CONCAT('quantity is ', p_quantity, ', but ', v_returned, ' of line ', p_order_item_id,
                           ' were returned');
    SIGNAL SQLSTATE '45014' SET MESSAGE_TEXT = v_message;
  END IF;
  IF p_quantity > v_ordered AND v_ordered = v_returned THEN -- it holds nothing, as history does
    SET v_message = CONCAT('all of line ', p_order_item_id, ' was returned: it takes no more');
    SIGNAL SQLSTATE '45014' SET MESSAGE_TEXT = v_message;
  END IF;
  UPDATE Order_Items SET quantity = p_quantity WHERE order_item_id = p_order_item_id;
END//

CREATE PROCEDURE sp_update_order_item_quantity(p_order_item_id BIGINT UNSIGNED, p_quantity INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_none BIGINT UNSIGNED;
  DECLARE v_message VARCHAR(500);

  IF NOT COALESCE(p_quantity > 0, 0) THEN
    SET v_message = CONCAT('quantity is ', COALESCE(p_quantity, 'NULL'), ', not a number above 0');
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  CALL sp_InTransaction('quantity', p_order_item_id, p_quantity, NULL, NULL, NULL, NULL, NULL, v_none);
END//

DELIMITER ;
