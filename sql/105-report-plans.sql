-- Reports that are asked for one product or supplier read the lines of those alone.
--
-- A view over a UNION is made whole before it is joined, and conditions of an outer join are not pushed into
-- it: so live and archived lines are added up by product each for itself, which the server does for the
-- products that are wanted (split_materialized, by ix_item_product and ix_item_archive_product), and what was
-- never sold comes by a UNION instead of an outer join. (It is looked for by LIMIT 1: of a NOT EXISTS the server
-- makes a list of all that was sold.) What the views answer is as before.

CREATE VIEW v_Live_Product_Sales AS
SELECT i.product_id, o.currency, SUM(IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity)) AS units,
       SUM(IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity) * i.price) AS revenue,
       SUM(IF(o.order_status = 'returned', i.quantity, i.returned_quantity)) AS returned_units
  FROM Order_Items i JOIN Orders o ON o.order_id = i.order_id
 WHERE o.order_status NOT IN ('pending', 'cancelled')
 GROUP BY i.product_id, o.currency;

CREATE VIEW v_Archived_Product_Sales AS
SELECT i.product_id, o.currency, SUM(IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity)) AS units,
       SUM(IF(o.order_status = 'returned', 0, i.quantity - i.returned_quantity) * i.price) AS revenue,
       SUM(IF(o.order_status = 'returned', i.quantity, i.returned_quantity)) AS returned_units
  FROM TR_Order_Items_Archive i JOIN TR_Orders_Archive o ON o.order_id = i.order_id AND o.order_date = i.order_date
 WHERE o.order_status NOT IN ('pending', 'cancelled')
 GROUP BY i.product_id, o.currency;

-- A place among all is known when all are added up.
CREATE OR REPLACE VIEW v_TopProducts AS
SELECT x.product_id, p.product_name, x.currency, x.units, x.revenue,
       RANK() OVER (PARTITION BY x.currency ORDER BY x.revenue DESC) AS place
  FROM (SELECT product_id, currency, SUM(units) AS units, SUM(revenue) AS revenue
          FROM (SELECT product_id, currency, units, revenue FROM v_Live_Product_Sales
                UNION ALL
                SELECT product_id, currency, units, revenue FROM v_Archived_Product_Sales) y
         GROUP BY product_id, currency) x
  LEFT JOIN Products p ON p.product_id = x.product_id; -- what the archive holds may outlive its product

-- Each category with all that stand below it.
CREATE OR REPLACE VIEW v_CategoryRevenue AS
WITH RECURSIVE below (top_id, category_id) AS (
  SELECT category_id, category_id FROM Categories
  UNION ALL
  SELECT b.top_id, c.category_id FROM below b JOIN Categories c ON c.parent_id = b.category_id)
SELECT c.category_id, c.parent_id, c.category_name, s.currency, SUM(s.units) AS units, SUM(s.revenue) AS revenue
  FROM Categories c
  JOIN (SELECT b.top_id, l.currency, l.units, l.revenue
          FROM below b JOIN Products p ON p.category_id = b.category_id
          JOIN v_Live_Product_Sales l ON l.product_id = p.product_id
        UNION ALL
        SELECT b.top_id, l.currency, l.units, l.revenue
          FROM below b JOIN Products p ON p.category_id = b.category_id
          JOIN v_Archived_Product_Sales l ON l.product_id = p.product_id) s ON s.top_id = c.category_id
 GROUP BY c.category_id, c.parent_id, c.category_name, s.currency;

CREATE OR REPLACE VIEW V_Sales_And_Reviews_Summary AS
SELECT p.product_id, p.product_name, l.currency, l.units, l.revenue, COALESCE(r.rating_count, 0) AS rating_count,
       p.current_rating
  FROM Products p
  JOIN (SELECT product_id, currency, SUM(units) AS units, SUM(revenue) AS revenue
          FROM (SELECT product_id, currency, units, revenue FROM v_Live_Product_Sales
                UNION ALL
                SELECT product_id, currency, units, revenue FROM v_Archived_Product_Sales) y
         GROUP BY product_id, currency) l ON l.product_id = p.product_id
  LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
UNION ALL
SELECT p.product_id, p.product_name, NULL, 0, 0, COALESCE(r.rating_count, 0), p.current_rating
  FROM Products p
  LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
 WHERE (SELECT i.order_id FROM Order_Items i JOIN Orders o ON o.order_id = i.order_id
         WHERE i.product_id = p.product_id AND o.order_status NOT IN ('pending', 'cancelled') LIMIT 1) IS NULL
   AND (SELECT i.order_id FROM TR_Order_Items_Archive i
          JOIN TR_Orders_Archive o ON o.order_id = i.order_id AND o.order_date = i.order_date
         WHERE i.product_id = p.product_id AND o.order_status NOT IN ('pending', 'cancelled') LIMIT 1) IS NULL;

CREATE VIEW v_Supplier_Products AS
SELECT p.supplier_id, COUNT(*) AS products, COALESCE(SUM(r.rating_count), 0) AS rating_count,
       ROUND(SUM(r.rating_sum) / NULLIF(SUM(r.rating_count), 0), 2) AS average_rating
  FROM Products p LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
 GROUP BY p.supplier_id;

CREATE OR REPLACE VIEW V_Supplier_Performance_Review AS
SELECT s.supplier_id, s.supplier_name, l.currency, l.units, l.revenue, l.returned_units, q.products, q.rating_count,
       q.average_rating
  FROM Suppliers s
  JOIN v_Supplier_Products q ON q.supplier_id = s.supplier_id
  JOIN (SELECT supplier_id, currency, SUM(units) AS units, SUM(revenue) AS revenue,
               SUM(returned_units) AS returned_units
          FROM (SELECT p.supplier_id, x.currency, x.units, x.revenue, x.returned_units
                  FROM Products p JOIN v_Live_Product_Sales x ON x.product_id = p.product_id
                UNION ALL
                SELECT p.supplier_id, x.currency, x.units, x.revenue, x.returned_units
                  FROM Products p JOIN v_Archived_Product_Sales x ON x.product_id = p.product_id) y
         GROUP BY supplier_id, currency) l ON l.supplier_id = s.supplier_id
UNION ALL
SELECT s.supplier_id, s.supplier_name, NULL, 0, 0, 0, q.products, q.rating_count, q.average_rating
  FROM Suppliers s
  JOIN v_Supplier_Products q ON q.supplier_id = s.supplier_id
 WHERE (SELECT i.order_id FROM Products p JOIN Order_Items i ON i.product_id = p.product_id
          JOIN Orders o ON o.order_id = i.order_id
         WHERE p.supplier_id = s.supplier_id AND o.order_status NOT IN ('pending', 'cancelled') LIMIT 1) IS NULL
   AND (SELECT i.order_id FROM Products p JOIN TR_Order_Items_Archive i ON i.product_id = p.product_id
          JOIN TR_Orders_Archive o ON o.order_id = i.order_id AND o.order_date = i.order_date
         WHERE p.supplier_id = s.supplier_id AND o.order_status NOT IN ('pending', 'cancelled') LIMIT 1) IS NULL;

ALTER TABLE Orders ADD KEY ix_order_state (ship_state) COMMENT 'sp_get_orders_by_state';

ALTER TABLE TR_Orders_Archive ADD KEY ix_archive_state (ship_state) COMMENT 'sp_get_orders_by_state';

ALTER TABLE TR_Orders_Archive
  ADD KEY ix_archive_address (address_id) COMMENT 'sp_get_orders_by_state: an address''s orders';

ALTER TABLE Customer_Addresses ADD KEY ix_address_state (state) COMMENT 'sp_get_orders_by_state';

DELIMITER //

-- Of the state, province or region that they were sent to; where an order keeps none, of its address.
CREATE OR REPLACE PROCEDURE sp_get_orders_by_state(p_state VARCHAR(80))
READS SQL DATA
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM Orders o WHERE o.ship_state = p_state
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM Customer_Addresses a JOIN Orders o ON o.address_id = a.address_id
 WHERE a.state = p_state AND o.ship_state IS NULL
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM TR_Orders_Archive o WHERE o.ship_state = p_state
UNION ALL
SELECT o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount, o.currency
  FROM Customer_Addresses a JOIN TR_Orders_Archive o ON o.address_id = a.address_id
 WHERE a.state = p_state AND o.ship_state IS NULL
 ORDER BY 3, 1//

-- The partition of a year, unless it is there. It is cut off the one that has the year's rows now: p_later,
-- or that of a later year, when this one was left out.
CREATE OR REPLACE PROCEDURE sp_AddArchiveYear(p_table VARCHAR(64), p_year INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_found INT;
  DECLARE v_next VARCHAR(64);
  DECLARE v_until VARCHAR(64);

  SELECT COUNT(*) INTO v_found FROM information_schema.PARTITIONS
   WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = p_table AND PARTITION_NAME = CONCAT('p', p_year);
  IF v_found = 0 THEN
    SELECT PARTITION_NAME, PARTITION_DESCRIPTION INTO v_next, v_until FROM information_schema.PARTITIONS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = p_table
       AND (PARTITION_DESCRIPTION = 'MAXVALUE'
            OR TRIM(BOTH '''' FROM PARTITION_DESCRIPTION) > CONCAT(p_year + 1, '-01-01'))
     ORDER BY PARTITION_ORDINAL_POSITION LIMIT 1;
    EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', p_table, ' REORGANIZE PARTITION ', v_next, ' INTO (PARTITION p', p_year,
                             ' VALUES LESS THAN (''', p_year + 1, '-01-01''), PARTITION ', v_next,
                             ' VALUES LESS THAN (', v_until, '))');
  END IF;
END//

-- This year's too: a server may have been off for longer.
CREATE OR REPLACE EVENT ev_archive_year ON SCHEDULE EVERY 1 DAY DO
FOR y IN YEAR(UTC_DATE()) .. YEAR(UTC_DATE()) + 1 DO
  CALL sp_AddArchiveYear('TR_Orders_Archive', y);
  CALL sp_AddArchiveYear('TR_Order_Items_Archive', y);
END FOR//

DELIMITER ;
