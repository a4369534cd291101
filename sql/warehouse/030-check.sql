-- Whether warehouse and shop agree, in one snapshot of both. A document that waits in its queue or in the hand-off may
-- differ, and counts as pending; what differs and waits nowhere is an error. Rows of both sides are counted together: one
-- that only one of them has, as it is, is there once.

-- What may differ: it waits in a queue, or in the hand-off. A row of another path than 0 stands for documents that are
-- still to be found.
CREATE VIEW v_Waiting AS
SELECT 'customer_profiles' AS collection, `key`, path FROM aethermart_db.customer_sync_queue
UNION ALL
SELECT 'product_catalog', `key`, path FROM aethermart_db.product_sync_queue
UNION ALL
SELECT 'orders', `key`, path FROM aethermart_db.order_sync_queue
UNION ALL
SELECT 'reviews', `key`, path FROM aethermart_db.review_sync_queue
UNION ALL
SELECT h.collection, h.`key`, 0 FROM Etl_Identity w JOIN aethermart_db.sync_handoff h ON h.consumer = w.consumer;

DELIMITER //

-- Answers a row a subject: what the shop has, what the warehouse has, how many differ, and how many of these are
-- pending. Nothing is locked.
CREATE PROCEDURE sp_CheckWarehouse()
MODIFIES SQL DATA
BEGIN
  DECLARE v_shop, v_warehouse, v_differ, v_pending BIGINT;
  DECLARE v_all_customers, v_all_products, v_all_orders, v_all_reviews BOOL;
  DECLARE v_nr INT DEFAULT 10;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  IF @@in_transaction THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'the warehouse is checked in a transaction of its own: COMMIT first';
  END IF;
  CREATE OR REPLACE TEMPORARY TABLE Check_Result (
    nr INT NOT NULL PRIMARY KEY, subject VARCHAR(40) NOT NULL, shop VARCHAR(40) NOT NULL,
    warehouse VARCHAR(40) NOT NULL, differ BIGINT NOT NULL, pending BIGINT NOT NULL) ENGINE=InnoDB;

  COMMIT; -- without autocommit a look at a variable begins one
  SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  START TRANSACTION WITH CONSISTENT SNAPSHOT;
  -- While all are read, and while the documents of a change are still to be found, any may be pending.
  SELECT MAX(collection = 'customer_profiles' AND any_waits), MAX(collection = 'product_catalog' AND any_waits),
         MAX(collection = 'orders' AND any_waits), MAX(collection = 'reviews' AND any_waits)
    INTO v_all_customers, v_all_products, v_all_orders, v_all_reviews
    FROM (SELECT s.collection, s.scan_after IS NOT NULL OR EXISTS (
                   SELECT 1 FROM v_Waiting w WHERE w.collection = s.collection AND w.path <> 0) AS any_waits
            FROM Etl_State s) x;

  SELECT COUNT(*), COALESCE(SUM(v_all_orders OR p.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT DISTINCT order_id FROM (
            SELECT order_id, order_date, order_status, payment_status, sales_channel, currency, total_amount,
                   refunded_amount FROM aethermart_db.Orders
            UNION ALL
            SELECT order_id, order_date, order_status, payment_status, sales_channel, currency, total_amount,
                   refunded_amount FROM aethermart_db.TR_Orders_Archive
            UNION ALL
            SELECT order_id, ordered_at, order_status, payment_status, sales_channel, currency, total_amount,
                   refunded_amount FROM Fact_Orders) both_sides
           GROUP BY order_id, order_date, order_status, payment_status, sales_channel, currency, total_amount,
                    refunded_amount
          HAVING COUNT(*) = 1) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'orders') p
           ON p.`key` = CAST(d.order_id AS BINARY);
  SELECT (SELECT COUNT(*) FROM aethermart_db.Orders) + (SELECT COUNT(*) FROM aethermart_db.TR_Orders_Archive),
         (SELECT COUNT(*) FROM Fact_Orders) INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (1, 'orders', v_shop, v_warehouse, v_differ, v_pending);

  SELECT COUNT(*), COALESCE(SUM(v_all_orders OR p.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT DISTINCT order_id FROM (
            SELECT i.order_item_id, o.order_id, o.order_date, o.order_status, o.currency, i.product_id, i.quantity,
                   i.returned_quantity, i.price
              FROM aethermart_db.Orders o JOIN aethermart_db.Order_Items i ON i.order_id = o.order_id
            UNION ALL
            SELECT i.order_item_id, o.order_id, o.order_date, o.order_status, o.currency, i.product_id, i.quantity,
                   i.returned_quantity, i.price
              FROM aethermart_db.TR_Orders_Archive o
              JOIN aethermart_db.TR_Order_Items_Archive i ON i.order_id = o.order_id AND i.order_date = o.order_date
            UNION ALL
            SELECT order_item_id, order_id, ordered_at, order_status, currency, product_id, quantity, sent_back,
                   unit_price FROM Fact_Sales) both_sides
           GROUP BY order_item_id, order_id, order_date, order_status, currency, product_id, quantity,
                    returned_quantity, price
          HAVING COUNT(*) = 1) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'orders') p
           ON p.`key` = CAST(d.order_id AS BINARY);
  SELECT (SELECT COUNT(*) FROM aethermart_db.Order_Items) + (SELECT COUNT(*) FROM aethermart_db.TR_Order_Items_Archive),
         (SELECT COUNT(*) FROM Fact_Sales) INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (2, 'lines of orders', v_shop, v_warehouse, v_differ, v_pending);

  SELECT COUNT(*) INTO v_differ -- of v_warehouse, which is that of the lines
    FROM Fact_Sales f LEFT JOIN Dim_Product v ON v.product_key = f.product_key
   WHERE v.product_key IS NULL OR v.product_id <> f.product_id OR v.valid_from > f_VersionAt(f.ordered_at)
      OR v.valid_to <= f_VersionAt(f.ordered_at) OR v.category_id <> f.category_id OR v.supplier_id <> f.supplier_id;
  INSERT INTO Check_Result VALUES (3, 'lines with the product of then', v_shop, v_warehouse - v_differ, v_differ, 0);

  SELECT COUNT(*), COALESCE(SUM(v_all_products OR p.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT DISTINCT product_id FROM (
            SELECT product_id, BINARY product_name AS product_name, product_kind, product_status, category_id,
                   supplier_id, price, currency FROM aethermart_db.Products
            UNION ALL
            SELECT product_id, BINARY product_name, product_kind, product_status, category_id, supplier_id, price,
                   currency FROM Dim_Product WHERE is_current = 1) both_sides
           GROUP BY product_id, product_name, product_kind, product_status, category_id, supplier_id, price, currency
          HAVING COUNT(*) = 1) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'product_catalog') p
           ON p.`key` = CAST(d.product_id AS BINARY);
  SELECT (SELECT COUNT(*) FROM aethermart_db.Products), (SELECT COUNT(*) FROM Dim_Product WHERE is_current = 1)
    INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (4, 'products', v_shop, v_warehouse, v_differ, v_pending);

  SELECT COUNT(*), COALESCE(SUM(v_all_products OR q.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT p.product_id
            FROM aethermart_db.Products p
            LEFT JOIN (SELECT product_id, SUM(net_change) AS stock FROM Fact_Inventory GROUP BY product_id) f
                   ON f.product_id = p.product_id
           WHERE COALESCE(p.stock_quantity, 0) <> COALESCE(f.stock, 0)) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'product_catalog') q
           ON q.`key` = CAST(d.product_id AS BINARY);
  SELECT (SELECT COALESCE(SUM(stock_quantity), 0) FROM aethermart_db.Products),
         (SELECT COALESCE(SUM(f.net_change), 0)
            FROM Fact_Inventory f JOIN aethermart_db.Products p ON p.product_id = f.product_id)
    INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (5, 'pieces in stock', v_shop, v_warehouse, v_differ, v_pending);

  SELECT COUNT(*), COALESCE(SUM(v_all_customers OR p.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT DISTINCT customer_id FROM (
            SELECT c.customer_id, a.country, a.state, YEAR(c.date_of_birth) DIV 10 * 10 AS birth_decade,
                   CAST(DATE_FORMAT(c.registration_date, '%Y%m') AS UNSIGNED) AS registered_month, c.customer_status
              FROM aethermart_db.Customers c
              LEFT JOIN (SELECT customer_id, MIN(address_id) AS address_id FROM aethermart_db.Customer_Addresses
                          WHERE is_default = 1 GROUP BY customer_id) x ON x.customer_id = c.customer_id
              LEFT JOIN aethermart_db.Customer_Addresses a ON a.address_id = x.address_id
            UNION ALL
            SELECT m.customer_id, c.country, c.state, c.birth_decade, c.registered_month, c.customer_status
              FROM Etl_Customers m LEFT JOIN Dim_Customer c ON c.customer_key = m.customer_key) both_sides
           GROUP BY customer_id, country, state, birth_decade, registered_month, customer_status
          HAVING COUNT(*) = 1) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'customer_profiles') p
           ON p.`key` = CAST(d.customer_id AS BINARY);
  SELECT (SELECT COUNT(*) FROM aethermart_db.Customers), (SELECT COUNT(*) FROM Etl_Customers) INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (6, 'customers', v_shop, v_warehouse, v_differ, v_pending);

  SELECT COUNT(*), COALESCE(SUM(v_all_reviews OR p.`key` IS NOT NULL), 0) INTO v_differ, v_pending
    FROM (SELECT DISTINCT review_id FROM (
            SELECT review_id, product_id, review_date, rating FROM aethermart_db.Reviews
            UNION ALL
            SELECT review_id, product_id, reviewed_at, rating FROM Fact_Reviews) both_sides
           GROUP BY review_id, product_id, review_date, rating
          HAVING COUNT(*) = 1) d
    LEFT JOIN (SELECT DISTINCT `key` FROM v_Waiting WHERE collection = 'reviews') p
           ON p.`key` = CAST(d.review_id AS BINARY);
  SELECT (SELECT COUNT(*) FROM aethermart_db.Reviews), (SELECT COUNT(*) FROM Fact_Reviews) INTO v_shop, v_warehouse;
  INSERT INTO Check_Result VALUES (7, 'reviews', v_shop, v_warehouse, v_differ, v_pending);

  SELECT pending INTO v_pending FROM Check_Result WHERE nr = 1;
  FOR m IN (SELECT currency, SUM(shop) AS shop, SUM(warehouse) AS warehouse FROM (
              SELECT currency, SUM(amount) AS shop, 0 AS warehouse FROM aethermart_db.v_Sales GROUP BY currency
              UNION ALL
              SELECT currency, 0, SUM(revenue) FROM Fact_Orders WHERE is_sale = 1 GROUP BY currency) x
             GROUP BY currency ORDER BY currency) DO
    INSERT INTO Check_Result VALUES (v_nr, CONCAT('revenue in ', m.currency), m.shop, m.warehouse,
                                     m.shop <> m.warehouse, m.shop <> m.warehouse AND v_pending > 0);
    SET v_nr = v_nr + 1;
  END FOR;
  COMMIT;
  SELECT subject, shop, warehouse, differ, pending FROM Check_Result ORDER BY nr;
  DROP TEMPORARY TABLE Check_Result;
END//

-- What is refreshed when nobody asks. Runs where the server's event_scheduler is ON.
CREATE EVENT ev_run_etl ON SCHEDULE EVERY 1 HOUR STARTS CURRENT_TIMESTAMP + INTERVAL 1 HOUR DO
  CALL sp_run_etl_pipeline()//

DELIMITER ;
