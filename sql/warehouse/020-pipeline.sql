-- How the warehouse follows the shop: as a consumer of the hand-off (docs/warehouse.md). A page is one
-- transaction: it reads which documents changed, writes their facts anew from the shop's rows, and takes their rows
-- out of the hand-off, all in one server. So a page counts once or not at all, whatever dies, and a page that is
-- done twice changes nothing.
--
-- The optimizer knows nothing of a page that was just filled: joins go from it in the order in which they stand here.
--
-- The shop is read by INSERT ... SELECT alone: at READ COMMITTED that locks no row of it, while an UPDATE or DELETE
-- that joins one of its tables would hold up who buys. A document that changes between two statements of a page
-- stands in its queue or in the hand-off by then, and comes again.

DELIMITER //

-- Years that a calendar has; facts of others have no day.
CREATE PROCEDURE sp_AddYear(p_year INT)
MODIFIES SQL DATA
BEGIN
  IF p_year BETWEEN 1000 AND 9998 AND NOT EXISTS (SELECT 1 FROM Dim_Date WHERE calendar_year = p_year) THEN
    INSERT IGNORE INTO Dim_Date
    WITH RECURSIVE days (d) AS (
      SELECT MAKEDATE(p_year, 1)
      UNION ALL
      SELECT d + INTERVAL 1 DAY FROM days WHERE d < MAKEDATE(p_year + 1, 1) - INTERVAL 1 DAY)
    SELECT CAST(DATE_FORMAT(d, '%Y%m%d') AS UNSIGNED), d, YEAR(d), QUARTER(d), MONTH(d), DATE_FORMAT(d, '%M', 'en_US'),
           YEARWEEK(d, 3) DIV 100, WEEK(d, 3), DAY(d), WEEKDAY(d) + 1, DATE_FORMAT(d, '%W', 'en_US'),
           WEEKDAY(d) >= 5
      FROM days;
  END IF;
END//

-- Few: read whole each time.
CREATE PROCEDURE sp_ReadTree()
MODIFIES SQL DATA
BEGIN
  INSERT INTO Dim_Category (category_id, parent_id, category_name, level_1, level_2, level_3, category_path, depth)
  WITH RECURSIVE tree (category_id, parent_id, category_name, level_1, level_2, level_3, category_path, depth) AS (
    SELECT category_id, parent_id, category_name, category_name, CAST(NULL AS CHAR(120)), CAST(NULL AS CHAR(120)),
           CAST(category_name AS CHAR(1000)), 1
      FROM aethermart_db.Categories WHERE parent_id IS NULL
    UNION ALL
    SELECT c.category_id, c.parent_id, c.category_name, t.level_1, IF(t.depth = 1, c.category_name, t.level_2),
           IF(t.depth = 2, c.category_name, t.level_3), LEFT(CONCAT(t.category_path, ' > ', c.category_name), 1000),
           t.depth + 1
      FROM tree t JOIN aethermart_db.Categories c ON c.parent_id = t.category_id)
  SELECT * FROM tree
  ON DUPLICATE KEY UPDATE parent_id = VALUES(parent_id), category_name = VALUES(category_name),
    level_1 = VALUES(level_1), level_2 = VALUES(level_2), level_3 = VALUES(level_3),
    category_path = VALUES(category_path), depth = VALUES(depth);

  INSERT INTO Dim_Supplier (supplier_id, supplier_name, country)
  SELECT supplier_id, supplier_name, country FROM aethermart_db.Suppliers
  ON DUPLICATE KEY UPDATE supplier_name = VALUES(supplier_name), country = VALUES(country);
END//

-- What a page holds: the numbers of documents, and of what came by the hand-off the row's key and version; and what
-- the shop says of them, read once.
CREATE PROCEDURE sp_MakePages()
MODIFIES SQL DATA
BEGIN
  CREATE OR REPLACE TEMPORARY TABLE Page (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY, `key` VARBINARY(1024) NULL, version BIGINT UNSIGNED NULL, KEY (`key`))
    ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_Customers (id BIGINT UNSIGNED NOT NULL PRIMARY KEY) ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_People (
    customer_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, country CHAR(2) NULL, state VARCHAR(80) NULL,
    birth_decade SMALLINT UNSIGNED NULL, registered_month INT UNSIGNED NULL, customer_status VARCHAR(16) NULL)
    ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_Products (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY, changed_from DATETIME(3) NULL COMMENT 'its first new version')
    ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_Goods (
    product_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, product_name VARCHAR(255) NOT NULL,
    product_kind VARCHAR(16) NOT NULL, product_status VARCHAR(16) NOT NULL, category_id INT UNSIGNED NOT NULL,
    supplier_id INT UNSIGNED NOT NULL,
    price DECIMAL(12,2) NOT NULL, currency CHAR(3) NOT NULL) ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_History (
    product_id BIGINT UNSIGNED NOT NULL, price_history_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    changed_at DATETIME(3) NOT NULL, price DECIMAL(12,2) NOT NULL, currency CHAR(3) NOT NULL,
    KEY (product_id, price_history_id)) ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_Prices (
    product_id BIGINT UNSIGNED NOT NULL, price_history_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    valid_from DATETIME(3) NOT NULL, price DECIMAL(12,2) NOT NULL, currency CHAR(3) NOT NULL,
    KEY (product_id, valid_from)) ENGINE=InnoDB;
  CREATE OR REPLACE TEMPORARY TABLE Page_Movements (
    product_id BIGINT UNSIGNED NOT NULL, movement_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, moved_on DATE NOT NULL,
    reason VARCHAR(16) NOT NULL, quantity INT NOT NULL, KEY (product_id)) ENGINE=InnoDB;
END//

-- When a version is looked up by: versions reach from the year 1000 to 9999.
CREATE FUNCTION f_VersionAt(p_at DATETIME) RETURNS DATETIME DETERMINISTIC NO SQL
RETURN LEAST(GREATEST(p_at, TIMESTAMP'1000-01-01 00:00:00'), TIMESTAMP'9999-12-30 00:00:00')//

-- One that the shop has no more loses its key: nobody can tell then who had it.
CREATE PROCEDURE sp_TakeCustomers()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_People;
  INSERT INTO Page_People
  SELECT c.customer_id, a.country, a.state, YEAR(c.date_of_birth) DIV 10 * 10,
         CAST(DATE_FORMAT(c.registration_date, '%Y%m') AS UNSIGNED), c.customer_status
    FROM Page_Customers k
    STRAIGHT_JOIN aethermart_db.Customers c ON c.customer_id = k.id
    LEFT JOIN aethermart_db.Customer_Addresses a
           ON a.address_id = (SELECT MIN(x.address_id) FROM aethermart_db.Customer_Addresses x
                               WHERE x.customer_id = k.id AND x.is_default = 1);

  DELETE m FROM Page_Customers k STRAIGHT_JOIN Etl_Customers m ON m.customer_id = k.id
   WHERE NOT EXISTS (SELECT 1 FROM Page_People c WHERE c.customer_id = k.id);
  INSERT IGNORE INTO Etl_Customers (customer_id, customer_key)
  SELECT customer_id, CAST(CONV(LEFT(SHA2(CONCAT(UUID(), RAND(), customer_id), 256), 15), 16, 10) AS UNSIGNED)
    FROM Page_People c
   WHERE NOT EXISTS (SELECT 1 FROM Etl_Customers m WHERE m.customer_id = c.customer_id);
  INSERT INTO Dim_Customer (customer_key, country, state, birth_decade, registered_month, customer_status)
  SELECT m.customer_key, c.country, c.state, c.birth_decade, c.registered_month, c.customer_status
    FROM Page_People c STRAIGHT_JOIN Etl_Customers m ON m.customer_id = c.customer_id
  ON DUPLICATE KEY UPDATE country = VALUES(country), state = VALUES(state), birth_decade = VALUES(birth_decade),
    registered_month = VALUES(registered_month), customer_status = VALUES(customer_status);
END//

-- What the shop says of the products of a page. Prices that became known since come first: one that follows them
-- differs from the last of them, and is a version by itself.
CREATE PROCEDURE sp_ReadProducts()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_History;
  DELETE FROM Page_Goods;
  INSERT INTO Page_History
  SELECT k.id, h.price_history_id, h.changed_at, h.new_price, h.currency
    FROM Page_Products k
    STRAIGHT_JOIN aethermart_db.Product_Price_History h ON h.product_id = k.id
   WHERE h.price_history_id > COALESCE((SELECT MAX(v.price_history_id) FROM Dim_Product v WHERE v.product_id = k.id), 0);
  INSERT INTO Page_Goods
  SELECT p.product_id, p.product_name, p.product_kind, p.product_status, p.category_id, p.supplier_id, p.price, p.currency
    FROM Page_Products k STRAIGHT_JOIN aethermart_db.Products p ON p.product_id = k.id;
END//

-- One row for each price since, from its change on; the others of the version stay. Of several within a millisecond
-- the last one counts, and no version ends before it begins.
CREATE PROCEDURE sp_TakePrices()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_Prices;
  INSERT INTO Page_Prices
  SELECT h.product_id, h.price_history_id,
         GREATEST(MAX(h.changed_at) OVER (PARTITION BY h.product_id ORDER BY h.price_history_id), v.valid_from), h.price,
         h.currency
    FROM Page_History h
    STRAIGHT_JOIN Dim_Product v ON v.product_id = h.product_id AND v.is_current = 1
   WHERE h.price_history_id > v.price_history_id;
  DELETE a FROM Page_Prices a STRAIGHT_JOIN Page_Prices b ON b.product_id = a.product_id AND b.valid_from = a.valid_from
                                                         AND b.price_history_id > a.price_history_id;
  UPDATE Page_Prices n STRAIGHT_JOIN Dim_Product v ON v.product_id = n.product_id AND v.valid_from = n.valid_from
     SET v.price = n.price, v.currency = n.currency, v.price_history_id = n.price_history_id;
  DELETE n FROM Page_Prices n STRAIGHT_JOIN Dim_Product v ON v.product_id = n.product_id AND v.valid_from = n.valid_from;

  UPDATE Page_Products k JOIN (SELECT product_id, MIN(valid_from) AS valid_from FROM Page_Prices GROUP BY product_id) n
                           ON n.product_id = k.id
     SET k.changed_from = LEAST(COALESCE(k.changed_from, n.valid_from), n.valid_from);
  INSERT INTO Dim_Product (product_id, valid_from, valid_to, is_current, product_name, product_kind, product_status,
                           category_id, supplier_id, price, currency, price_history_id)
  SELECT n.product_id, n.valid_from,
         COALESCE(LEAD(n.valid_from) OVER (PARTITION BY n.product_id ORDER BY n.valid_from), '9999-12-31'), 0,
         v.product_name, v.product_kind, v.product_status, v.category_id, v.supplier_id, n.price, n.currency,
         n.price_history_id
    FROM Page_Prices n STRAIGHT_JOIN Dim_Product v ON v.product_id = n.product_id AND v.is_current = 1;
  UPDATE (SELECT product_id, MIN(valid_from) AS valid_from FROM Page_Prices GROUP BY product_id) n
    STRAIGHT_JOIN Dim_Product v ON v.product_id = n.product_id AND v.is_current = 1
     SET v.is_current = 0, v.valid_to = n.valid_from;
  UPDATE (SELECT DISTINCT product_id FROM Page_Prices) n
    STRAIGHT_JOIN Dim_Product v ON v.product_id = n.product_id AND v.valid_to = '9999-12-31'
     SET v.is_current = 1;
END//

-- New versions: of a product that is not known, one for each price of its history, the first of them since ever;
-- of one that is known, one for each price since, and one from now on when anything else is different.
CREATE PROCEDURE sp_TakeVersions()
MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);

  CALL sp_ReadProducts();
  -- Who stood in for it goes: its facts are moved below.
  UPDATE Page_Goods p STRAIGHT_JOIN Page_Products k ON k.id = p.product_id
    STRAIGHT_JOIN Dim_Product v ON v.product_id = p.product_id AND v.product_status = 'gone'
     SET k.changed_from = '1000-01-01';
  DELETE v FROM Page_Goods p STRAIGHT_JOIN Dim_Product v ON v.product_id = p.product_id AND v.product_status = 'gone';
  -- One that the shop dropped may come back.
  UPDATE Page_Products k STRAIGHT_JOIN Dim_Product v ON v.product_id = k.id AND v.valid_to = '9999-12-31'
     SET v.is_current = EXISTS (SELECT 1 FROM Page_Goods p WHERE p.product_id = k.id);

  INSERT INTO Dim_Product (product_id, valid_from, valid_to, is_current, product_name, product_kind, product_status,
                           category_id, supplier_id, price, currency, price_history_id)
  SELECT p.product_id, '1000-01-01', '9999-12-31', 1, p.product_name, p.product_kind, p.product_status, p.category_id,
         p.supplier_id, COALESCE(h.price, p.price), COALESCE(h.currency, p.currency), COALESCE(h.price_history_id, 0)
    FROM Page_Goods p
    LEFT JOIN Page_History h
           ON h.price_history_id = (SELECT MIN(x.price_history_id) FROM Page_History x WHERE x.product_id = p.product_id)
   WHERE NOT EXISTS (SELECT 1 FROM Dim_Product v WHERE v.product_id = p.product_id);
  CALL sp_TakePrices();

  UPDATE Page_Goods p
    STRAIGHT_JOIN Page_Products k ON k.id = p.product_id
    STRAIGHT_JOIN Dim_Product v ON v.product_id = p.product_id AND v.is_current = 1
     SET v.is_current = 0, v.valid_to = GREATEST(v_now, v.valid_from), k.changed_from = COALESCE(k.changed_from, v_now)
   WHERE v.product_name <> BINARY p.product_name OR v.product_kind <> p.product_kind
      OR v.product_status <> p.product_status OR v.category_id <> p.category_id OR v.supplier_id <> p.supplier_id
      OR v.price <> p.price OR v.currency <> p.currency;
  INSERT INTO Dim_Product (product_id, valid_from, valid_to, is_current, product_name, product_kind, product_status,
                           category_id, supplier_id, price, currency, price_history_id)
  SELECT p.product_id, v.valid_to, '9999-12-31', 1, p.product_name, p.product_kind, p.product_status, p.category_id,
         p.supplier_id, p.price, p.currency, v.price_history_id
    FROM Page_Goods p
    STRAIGHT_JOIN Dim_Product v ON v.product_id = p.product_id
                      AND v.valid_to = (SELECT MAX(x.valid_to) FROM Dim_Product x WHERE x.product_id = p.product_id)
   WHERE NOT EXISTS (SELECT 1 FROM Dim_Product x WHERE x.product_id = p.product_id AND x.is_current = 1)
  ON DUPLICATE KEY UPDATE product_name = VALUES(product_name), product_kind = VALUES(product_kind),
    product_status = VALUES(product_status), category_id = VALUES(category_id), supplier_id = VALUES(supplier_id),
    price = VALUES(price), currency = VALUES(currency), valid_to = VALUES(valid_to), is_current = 1;

  -- What was sold since belongs to the versions that came late.
  UPDATE Page_Products k
    STRAIGHT_JOIN Fact_Sales f ON f.product_id = k.id AND f.ordered_at >= k.changed_from
    STRAIGHT_JOIN Dim_Product v ON v.product_id = f.product_id AND v.valid_from <= f.ordered_at
                               AND v.valid_to > f.ordered_at
     SET f.product_key = v.product_key, f.category_id = v.category_id, f.supplier_id = v.supplier_id
   WHERE k.changed_from IS NOT NULL;
  UPDATE Page_Products k
    STRAIGHT_JOIN Fact_Reviews f ON f.product_id = k.id AND f.reviewed_at >= k.changed_from
    STRAIGHT_JOIN Dim_Product v ON v.product_id = f.product_id AND v.valid_from <= f.reviewed_at
                               AND v.valid_to > f.reviewed_at
     SET f.product_key = v.product_key
   WHERE k.changed_from IS NOT NULL;
END//

-- A product's movements are written under the lock of its row: their numbers rise in the order of their commits.
CREATE PROCEDURE sp_TakeMovements()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_Movements;
  INSERT IGNORE INTO Etl_Products (product_id, movement_id) SELECT id, 0 FROM Page_Products;
  INSERT INTO Page_Movements
  SELECT k.id, m.movement_id, DATE(m.moved_at), m.movement_reason, m.quantity
    FROM Page_Products k
    STRAIGHT_JOIN Etl_Products e ON e.product_id = k.id
    STRAIGHT_JOIN aethermart_db.Stock_Movements m ON m.product_id = k.id AND m.movement_id > e.movement_id;
  FOR y IN (SELECT DISTINCT YEAR(moved_on) AS n FROM Page_Movements) DO
    CALL sp_AddYear(y.n);
  END FOR;
  INSERT INTO Fact_Inventory (product_id, date_key, opened, sold, returned, restocked, corrected, net_change, movements)
  SELECT product_id, CAST(DATE_FORMAT(moved_on, '%Y%m%d') AS UNSIGNED), SUM(IF(reason = 'initial', quantity, 0)),
         -SUM(IF(reason = 'order', quantity, 0)), SUM(IF(reason = 'return', quantity, 0)),
         SUM(IF(reason = 'restock', quantity, 0)), SUM(IF(reason IN ('correction', 'removed'), quantity, 0)),
         SUM(quantity), COUNT(*)
    FROM Page_Movements GROUP BY product_id, moved_on
  ON DUPLICATE KEY UPDATE opened = opened + VALUES(opened), sold = sold + VALUES(sold),
    returned = returned + VALUES(returned), restocked = restocked + VALUES(restocked),
    corrected = corrected + VALUES(corrected), net_change = net_change + VALUES(net_change),
    movements = movements + VALUES(movements);
  UPDATE Etl_Products e JOIN (SELECT product_id, MAX(movement_id) AS movement_id FROM Page_Movements GROUP BY product_id) m
                          ON m.product_id = e.product_id
     SET e.movement_id = m.movement_id;
END//

-- Whom and what the page names and nobody has told of yet.
CREATE PROCEDURE sp_TakeUnknown()
MODIFIES SQL DATA
BEGIN
  DELETE k FROM Page_Customers k STRAIGHT_JOIN Etl_Customers m ON m.customer_id = k.id;
  CALL sp_TakeCustomers();
  DELETE k FROM Page_Products k WHERE EXISTS (SELECT 1 FROM Dim_Product v WHERE v.product_id = k.id);
  CALL sp_TakeVersions();
  -- An archived order may outlive its product: what it brought counts all the same.
  INSERT INTO Dim_Product (product_id, valid_from, valid_to, is_current, product_name, product_kind, product_status,
                           category_id, supplier_id, price, currency, price_history_id)
  SELECT k.id, '1000-01-01', '9999-12-31', 0, CONCAT('product ', k.id), 'unknown', 'gone', 0, 0, 0, 'XXX', 0
    FROM Page_Products k WHERE NOT EXISTS (SELECT 1 FROM Dim_Product v WHERE v.product_id = k.id);
END//

CREATE PROCEDURE sp_TakeOrders()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_Customers;
  DELETE FROM Page_Products;
  INSERT IGNORE INTO Page_Customers
  SELECT o.customer_id FROM Page k STRAIGHT_JOIN aethermart_db.Orders o ON o.order_id = k.id
  UNION
  SELECT a.customer_id FROM Page k STRAIGHT_JOIN aethermart_db.TR_Orders_Archive a ON a.order_id = k.id;
  INSERT IGNORE INTO Page_Products (id)
  SELECT i.product_id FROM Page k STRAIGHT_JOIN aethermart_db.Order_Items i ON i.order_id = k.id
  UNION
  SELECT i.product_id FROM Page k STRAIGHT_JOIN aethermart_db.TR_Order_Items_Archive i ON i.order_id = k.id;
  CALL sp_TakeUnknown();
  FOR y IN (SELECT YEAR(o.order_date) AS n FROM Page k STRAIGHT_JOIN aethermart_db.Orders o ON o.order_id = k.id
            UNION
            SELECT YEAR(a.order_date) FROM Page k STRAIGHT_JOIN aethermart_db.TR_Orders_Archive a ON a.order_id = k.id) DO
    CALL sp_AddYear(y.n);
  END FOR;

  DELETE f FROM Page k STRAIGHT_JOIN Fact_Orders f ON f.order_id = k.id;
  DELETE f FROM Page k STRAIGHT_JOIN Fact_Sales f ON f.order_id = k.id;
  INSERT INTO Fact_Orders (order_id, ordered_at, customer_key, order_status, payment_status, sales_channel,
                           ship_country, currency, total_amount, refunded_amount)
  SELECT o.order_id, o.order_date, m.customer_key, o.order_status, o.payment_status, o.sales_channel,
         COALESCE(o.ship_country, a.country), o.currency, o.total_amount, o.refunded_amount
    FROM Page k
    STRAIGHT_JOIN aethermart_db.Orders o ON o.order_id = k.id
    LEFT JOIN aethermart_db.Customer_Addresses a ON a.address_id = o.address_id
    LEFT JOIN Etl_Customers m ON m.customer_id = o.customer_id
  UNION ALL
  SELECT o.order_id, o.order_date, m.customer_key, o.order_status, o.payment_status, o.sales_channel,
         COALESCE(o.ship_country, a.country), o.currency, o.total_amount, o.refunded_amount
    FROM Page k
    STRAIGHT_JOIN aethermart_db.TR_Orders_Archive o ON o.order_id = k.id
    LEFT JOIN aethermart_db.Customer_Addresses a ON a.address_id = o.address_id
    LEFT JOIN Etl_Customers m ON m.customer_id = o.customer_id;
  INSERT INTO Fact_Sales (order_item_id, order_id, ordered_at, product_id, product_key, category_id, supplier_id,
                          customer_key, order_status, currency, quantity, sent_back, unit_price)
  SELECT i.order_item_id, o.order_id, o.order_date, i.product_id, v.product_key, v.category_id, v.supplier_id,
         m.customer_key, o.order_status, o.currency, i.quantity, i.returned_quantity, i.price
    FROM Page k
    STRAIGHT_JOIN aethermart_db.Orders o ON o.order_id = k.id
    STRAIGHT_JOIN aethermart_db.Order_Items i ON i.order_id = o.order_id
    STRAIGHT_JOIN Dim_Product v ON v.product_id = i.product_id AND f_VersionAt(o.order_date) >= v.valid_from
                               AND f_VersionAt(o.order_date) < v.valid_to
    LEFT JOIN Etl_Customers m ON m.customer_id = o.customer_id
  UNION ALL
  SELECT i.order_item_id, o.order_id, o.order_date, i.product_id, v.product_key, v.category_id, v.supplier_id,
         m.customer_key, o.order_status, o.currency, i.quantity, i.returned_quantity, i.price
    FROM Page k
    STRAIGHT_JOIN aethermart_db.TR_Orders_Archive o ON o.order_id = k.id
    STRAIGHT_JOIN aethermart_db.TR_Order_Items_Archive i ON i.order_id = o.order_id AND i.order_date = o.order_date
    STRAIGHT_JOIN Dim_Product v ON v.product_id = i.product_id AND f_VersionAt(o.order_date) >= v.valid_from
                               AND f_VersionAt(o.order_date) < v.valid_to
    LEFT JOIN Etl_Customers m ON m.customer_id = o.customer_id
  ON DUPLICATE KEY UPDATE order_id = VALUES(order_id), ordered_at = VALUES(ordered_at), product_id = VALUES(product_id),
    product_key = VALUES(product_key), category_id = VALUES(category_id), supplier_id = VALUES(supplier_id),
    customer_key = VALUES(customer_key), order_status = VALUES(order_status), currency = VALUES(currency),
    quantity = VALUES(quantity), sent_back = VALUES(sent_back), unit_price = VALUES(unit_price); -- moved to another order
END//

CREATE PROCEDURE sp_TakeReviews()
MODIFIES SQL DATA
BEGIN
  DELETE FROM Page_Customers;
  DELETE FROM Page_Products;
  INSERT IGNORE INTO Page_Customers
  SELECT r.customer_id FROM Page k STRAIGHT_JOIN aethermart_db.Reviews r ON r.review_id = k.id;
  INSERT IGNORE INTO Page_Products (id)
  SELECT r.product_id FROM Page k STRAIGHT_JOIN aethermart_db.Reviews r ON r.review_id = k.id;
  CALL sp_TakeUnknown();
  FOR y IN (SELECT DISTINCT YEAR(r.review_date) AS n
              FROM Page k STRAIGHT_JOIN aethermart_db.Reviews r ON r.review_id = k.id) DO
    CALL sp_AddYear(y.n);
  END FOR;
  DELETE f FROM Page k STRAIGHT_JOIN Fact_Reviews f ON f.review_id = k.id;
  INSERT INTO Fact_Reviews (review_id, product_id, product_key, customer_key, reviewed_at, rating)
  SELECT r.review_id, r.product_id, v.product_key, m.customer_key, r.review_date, r.rating
    FROM Page k
    STRAIGHT_JOIN aethermart_db.Reviews r ON r.review_id = k.id
    STRAIGHT_JOIN Dim_Product v ON v.product_id = r.product_id AND f_VersionAt(r.review_date) >= v.valid_from
                               AND f_VersionAt(r.review_date) < v.valid_to
    LEFT JOIN Etl_Customers m ON m.customer_id = r.customer_id;
END//

-- Within a transaction: one page of a collection. While all are read, those of the shop and those of the warehouse,
-- so that what the shop has no more goes too.
CREATE PROCEDURE sp_TryPage(p_collection VARCHAR(64), p_size INT, OUT ret_rows INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_after BIGINT UNSIGNED;
  DECLARE v_consumer VARCHAR(64);

  SELECT consumer INTO v_consumer FROM Etl_Identity FOR UPDATE; -- one page at a time, whosever it is
  SELECT scan_after INTO v_after FROM Etl_State WHERE collection = p_collection;
  DELETE FROM Page;
  IF v_after IS NULL THEN
    INSERT IGNORE INTO Page (id, `key`, version)
    SELECT CAST(CONVERT(`key` USING latin1) AS UNSIGNED), `key`, version FROM aethermart_db.sync_handoff
     WHERE consumer = v_consumer AND collection = p_collection ORDER BY `key` LIMIT p_size;
  ELSE
    CASE p_collection
      WHEN 'customer_profiles' THEN
        INSERT INTO Page (id)
        (SELECT customer_id FROM aethermart_db.Customers WHERE customer_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT customer_id FROM Etl_Customers WHERE customer_id > v_after ORDER BY 1 LIMIT p_size)
        ORDER BY 1 LIMIT p_size;
      WHEN 'product_catalog' THEN
        INSERT INTO Page (id)
        (SELECT product_id FROM aethermart_db.Products WHERE product_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT DISTINCT product_id FROM Dim_Product WHERE product_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT product_id FROM Etl_Products WHERE product_id > v_after ORDER BY 1 LIMIT p_size)
        ORDER BY 1 LIMIT p_size;
      WHEN 'orders' THEN
        INSERT INTO Page (id)
        (SELECT order_id FROM aethermart_db.Orders WHERE order_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT order_id FROM aethermart_db.TR_Orders_Archive WHERE order_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT order_id FROM Fact_Orders WHERE order_id > v_after ORDER BY 1 LIMIT p_size)
        ORDER BY 1 LIMIT p_size;
      WHEN 'reviews' THEN
        INSERT INTO Page (id)
        (SELECT review_id FROM aethermart_db.Reviews WHERE review_id > v_after ORDER BY 1 LIMIT p_size)
        UNION
        (SELECT review_id FROM Fact_Reviews WHERE review_id > v_after ORDER BY 1 LIMIT p_size)
        ORDER BY 1 LIMIT p_size;
    END CASE;
  END IF;
  SELECT COUNT(*) INTO ret_rows FROM Page;
  CASE p_collection
    WHEN 'customer_profiles' THEN
      DELETE FROM Page_Customers;
      INSERT INTO Page_Customers SELECT id FROM Page;
      CALL sp_TakeCustomers();
    WHEN 'product_catalog' THEN
      DELETE FROM Page_Products;
      INSERT INTO Page_Products (id) SELECT id FROM Page;
      CALL sp_TakeVersions();
      CALL sp_TakeMovements();
    WHEN 'orders' THEN CALL sp_TakeOrders();
    WHEN 'reviews' THEN CALL sp_TakeReviews();
  END CASE;
  IF v_after IS NULL THEN
    -- In the order in which acknowledgements lock them.
    DELETE h FROM Page k FORCE INDEX (`key`) STRAIGHT_JOIN aethermart_db.sync_handoff h
                      ON h.consumer = v_consumer AND h.collection = p_collection AND h.`key` = k.`key`
                     AND h.version = k.version;
  ELSE
    UPDATE Etl_State SET scan_after = IF(ret_rows < p_size, NULL, (SELECT MAX(id) FROM Page))
     WHERE collection = p_collection;
  END IF;
END//

-- Who is not known in the hand-off missed what happened before, and so did who learned of changes by another mapping:
-- all is read. Its rows of other collections would wait for nobody.
CREATE PROCEDURE sp_TryRegister(p_is_full BOOL)
MODIFIES SQL DATA
BEGIN
  DECLARE v_consumer VARCHAR(64);
  DECLARE v_missing VARCHAR(64);
  DECLARE v_message VARCHAR(200);

  SELECT consumer INTO v_consumer FROM Etl_Identity FOR UPDATE;
  UPDATE aethermart_db.sync_consumer SET seen_at = CURRENT_TIMESTAMP WHERE consumer = v_consumer;
  IF NOT EXISTS (SELECT 1 FROM aethermart_db.sync_consumer WHERE consumer = v_consumer) THEN
    SET p_is_full = TRUE;
    INSERT INTO aethermart_db.sync_consumer (consumer, kind, takes_all) VALUES (v_consumer, 'warehouse', 1);
  END IF;
  SET v_missing = (SELECT MIN(collection) FROM Etl_State
                    WHERE collection NOT IN (SELECT collection FROM aethermart_db.sync_collection));
  IF v_missing IS NOT NULL THEN
    SET v_message = CONCAT('no mapping tells of changes of "', v_missing, '": put mapping/', v_missing,
                           '.yaml back and run aethermart sync install');
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  FOR c IN (SELECT s.collection, s.mapping_hash FROM aethermart_db.sync_collection s) DO
    UPDATE Etl_State SET scan_after = 0, mapping_hash = c.mapping_hash
     WHERE collection = c.collection AND (p_is_full OR mapping_hash <> c.mapping_hash);
  END FOR;
  IF p_is_full THEN -- movements are added: all of them again, or none
    DELETE FROM Fact_Inventory;
    DELETE FROM Etl_Products;
  END IF;
  DELETE FROM aethermart_db.sync_handoff
   WHERE consumer = v_consumer AND collection NOT IN (SELECT collection FROM Etl_State);
  CALL sp_ReadTree();
END//

-- One of the procedures above, in a transaction; what others made impossible for the moment is tried again.
CREATE PROCEDURE sp_InTransaction(p_what VARCHAR(16), p_collection VARCHAR(64), p_number INT, OUT ret_rows INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_is_done BOOL DEFAULT FALSE;
  DECLARE v_tries INT DEFAULT 0;

  WHILE NOT v_is_done DO
    BEGIN
      DECLARE EXIT HANDLER FOR 1213, 1205, 1020, 1412
      BEGIN
        ROLLBACK;
        SET v_tries = v_tries + 1;
        IF v_tries > 10 THEN
          RESIGNAL;
        END IF;
        DO SLEEP(RAND() * 0.02 * v_tries);
      END;
      DECLARE EXIT HANDLER FOR SQLEXCEPTION
      BEGIN
        ROLLBACK;
        RESIGNAL;
      END;

      COMMIT; -- without autocommit a look at a variable begins one
      SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
      START TRANSACTION;
      CASE p_what
        WHEN 'register' THEN CALL sp_TryRegister(p_number);
        WHEN 'page' THEN CALL sp_TryPage(p_collection, p_number, ret_rows);
      END CASE;
      COMMIT;
      SET v_is_done = TRUE;
    END;
  END WHILE;
END//

-- A run is its start, steps for each collection until they are over, and its end; all of one connection. Dimensions
-- come first, so that facts find them.
CREATE PROCEDURE sp_StartRun(p_is_full BOOL, OUT ret_run BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_none INT;

  IF @@in_transaction THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'the warehouse is refreshed in transactions of its own: COMMIT first';
  END IF;
  CALL sp_MakePages();
  CALL sp_InTransaction('register', NULL, p_is_full, v_none);
  INSERT INTO Etl_Runs (started_at) VALUES (UTC_TIMESTAMP(3));
  SET ret_run = LAST_INSERT_ID();
END//

-- Collections by number: customers, products, orders, reviews.
CREATE PROCEDURE sp_StepRun(p_run BIGINT UNSIGNED, p_nr INT, OUT ret_rows INT, OUT ret_is_over BOOL)
MODIFIES SQL DATA
BEGIN
  DECLARE v_collection VARCHAR(64) DEFAULT ELT(p_nr, 'customer_profiles', 'product_catalog', 'orders', 'reviews');
  DECLARE v_size INT DEFAULT 1000; -- a second of work at most, for which it holds its locks
  DECLARE v_is_scan BOOL;

  SELECT scan_after IS NOT NULL INTO v_is_scan FROM Etl_State WHERE collection = v_collection;
  CALL sp_InTransaction('page', v_collection, v_size, ret_rows);
  UPDATE Etl_Runs SET customers = customers + IF(p_nr = 1, ret_rows, 0), products = products + IF(p_nr = 2, ret_rows, 0),
                      orders = orders + IF(p_nr = 3, ret_rows, 0), reviews = reviews + IF(p_nr = 4, ret_rows, 0)
   WHERE run_id = p_run;
  SET ret_is_over = NOT v_is_scan AND ret_rows < v_size;
END//

CREATE PROCEDURE sp_EndRun(p_run BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  UPDATE Etl_Runs SET finished_at = UTC_TIMESTAMP(3) WHERE run_id = p_run;
  COMMIT;
  DROP TEMPORARY TABLE Page, Page_Customers, Page_People, Page_Products, Page_Goods, Page_History, Page_Prices,
    Page_Movements;
  SELECT run_id, started_at, finished_at, customers, products, orders, reviews FROM Etl_Runs WHERE run_id = p_run;
END//

-- All that waits in the hand-off, and all of the shop the first time. Answers what was looked at.
CREATE PROCEDURE sp_run_etl_pipeline()
MODIFIES SQL DATA
BEGIN
  DECLARE v_run BIGINT UNSIGNED;
  DECLARE v_rows INT;
  DECLARE v_is_over BOOL;

  CALL sp_StartRun(FALSE, v_run);
  FOR nr IN 1 .. 4 DO
    SET v_is_over = FALSE;
    WHILE NOT v_is_over DO
      CALL sp_StepRun(v_run, nr, v_rows, v_is_over);
    END WHILE;
  END FOR;
  CALL sp_EndRun(v_run);
END//

DELIMITER ;
