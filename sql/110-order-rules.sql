-- Rules of orders, made stricter, and placing by sets instead of line by line (080-place-order.sql).
--
-- All that a request says is understood or refused: what is no amount, no day or no member that is known
-- is not passed over. What was paid stays what it was: quantities change while an order is pending.
-- Orders from feeds that are returned were paid back. An order that is archived is told so.
--
-- Lines are priced by one statement and inserted by one, because MariaDB opens all tables that a trigger may
-- touch for each statement anew. It is an INSERT … VALUES, since INSERT … SELECT holds the AUTO-INC lock of all
-- lines to its end under innodb_autoinc_lock_mode = 1, MariaDB's default. @placed_order tells the triggers which
-- order it is whose rows are locked, and which is added to when all @placed_lines are there; the last line
-- forgets it. An interruption may leave it behind: that order is rolled back, and no other ever has its number.

ALTER TABLE TR_Orders_Archive ADD KEY ix_archive_date (order_date) COMMENT 'sp_get_orders_in_month; sales of a time';

DELIMITER //

-- Quoted prices as they were sent: {"7": 19.99, "8": null}; null is none.
CREATE PROCEDURE sp_CheckQuotes(p_quoted LONGTEXT)
NO SQL
BEGIN
  DECLARE v_products INT;
  DECLARE v_message VARCHAR(500);

  IF NOT COALESCE(JSON_VALID(p_quoted) AND JSON_TYPE(p_quoted) = 'OBJECT', 0) THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'quoted prices are an object: {"7": 19.99}';
  END IF;
  IF JSON_LENGTH(p_quoted) > 500 THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'an order has 500 quoted prices at most';
  END IF;
  SELECT COUNT(DISTINCT product_id), MIN(CASE
           WHEN price IS NULL OR NOT product_id REGEXP '^[1-9][0-9]{0,17}\\z'
             THEN CONCAT('quoted prices name ', LEFT(product_id, 40), ', not a product by its number')
           WHEN JSON_TYPE(price) IN ('ARRAY', 'OBJECT', 'BOOLEAN')
                OR NOT COALESCE(JSON_VALUE(price, '$'), '0') REGEXP '^[0-9]{1,10}([.][0-9]{1,2})?\\z'
             THEN CONCAT('quoted price of product ', product_id, ' is ', LEFT(JSON_UNQUOTE(price), 40),
                         ', not an amount')
         END) INTO v_products, v_message
    FROM (SELECT product_id, JSON_EXTRACT(p_quoted, CONCAT('$."', product_id, '"')) AS price
            FROM JSON_TABLE(JSON_KEYS(p_quoted), '$[*]' COLUMNS (product_id VARCHAR(60) PATH '$')) j) k;
  IF v_message IS NULL AND JSON_LENGTH(p_quoted) > v_products THEN
    SET v_message = 'quoted prices name a product twice';
  END IF;
  IF v_message IS NOT NULL THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
END//

-- Checks lines as they were sent and makes them canonical: one a product, by its number. The text is
-- what a request's hash is taken of: its form never changes.
CREATE OR REPLACE PROCEDURE sp_ReadLines(p_lines LONGTEXT, p_quoted LONGTEXT, OUT ret_lines LONGTEXT)
NO SQL
BEGIN
  DECLARE v_message VARCHAR(500);

  IF NOT COALESCE(JSON_VALID(p_lines) AND JSON_TYPE(p_lines) = 'ARRAY' AND JSON_LENGTH(p_lines) > 0, 0) THEN
    SIGNAL SQLSTATE '45006' SET MESSAGE_TEXT = 'an order needs lines: [{"product_id": 7, "quantity": 1}]';
  END IF;
  IF JSON_LENGTH(p_lines) > 500 THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'an order has 500 lines at most';
  END IF;
  IF p_quoted IS NOT NULL THEN
    CALL sp_CheckQuotes(p_quoted);
  END IF;
  -- The first three characters of what is wrong are its line, so that the least is the first.
  SELECT MIN(wrong), CONCAT('[', GROUP_CONCAT(JSON_OBJECT('p', product_id, 'q', quantity, 'low', low, 'high', high,
                                                          'd', day) ORDER BY product_id), ']')
    INTO v_message, ret_lines
    FROM (SELECT product_id, SUM(quantity) AS quantity, MIN(service_date) AS day,
                 MIN(LEAST(COALESCE(price, quoted), COALESCE(quoted, price))) AS low,
                 MAX(GREATEST(COALESCE(price, quoted), COALESCE(quoted, price))) AS high,
                 COALESCE(MIN(CONCAT(LPAD(nr, 3, '0'), 'line ', nr, ': ', wrong)),
                          IF(COUNT(DISTINCT service_date) > 1,
                             CONCAT('999product ', product_id, ' stands for two days'), NULL)) AS wrong
            FROM (SELECT nr, product_id, quantity, price, service_date,
                         CAST(JSON_VALUE(p_quoted, CONCAT('$."', product_id, '"')) AS DECIMAL(12,2)) AS quoted,
                         CASE
                           WHEN NOT COALESCE(product_text REGEXP '^[1-9][0-9]{0,17}$', 0)
                             THEN CONCAT('product_id is ',
                                         LEFT(COALESCE(product_text, NULLIF(product_json, 'null'), 'missing'), 40),
                                         ', not a number')
                           WHEN NOT COALESCE(quantity_text REGEXP '^[1-9][0-9]{0,5}$', 0)
                             THEN CONCAT('quantity is ',
                                         LEFT(COALESCE(quantity_text, NULLIF(quantity_json, 'null'), 'missing'), 40),
                                         ', not a number from 1 to 999999')
                           WHEN COALESCE(price_json, 'null') <> 'null'
                                AND NOT COALESCE(price_text REGEXP '^[0-9]{1,10}([.][0-9]{1,2})?$', 0)
                             THEN CONCAT('price is ', LEFT(COALESCE(price_text, price_json), 40), ', not an amount')
                           WHEN COALESCE(date_json, 'null') <> 'null'
                                AND NOT IF(date_text REGEXP
                                             '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$',
                                           RIGHT(service_date, 2) <=
                                             DAY(LAST_DAY(CONCAT(LEFT(service_date, 7), '-01'))), 0)
                             THEN CONCAT('date is ', LEFT(COALESCE(date_text, date_json), 40),
                                         ', not a day such as 2026-12-24')
                           WHEN JSON_LENGTH(line) > has_product + has_quantity + has_price + has_date
                             THEN 'only product_id, quantity, price and date are known, each once'
                         END AS wrong
                    FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
                           nr FOR ORDINALITY,
                           line JSON PATH '$',
                           product_id BIGINT UNSIGNED PATH '$.product_id',
                           product_text VARCHAR(60) PATH '$.product_id',
                           product_json JSON PATH '$.product_id',
                           has_product INT EXISTS PATH '$.product_id',
                           quantity INT PATH '$.quantity',
                           quantity_text VARCHAR(60) PATH '$.quantity',
                           quantity_json JSON PATH '$.quantity',
                           has_quantity INT EXISTS PATH '$.quantity',
                           price DECIMAL(12,2) PATH '$.price',
                           price_text VARCHAR(60) PATH '$.price',
                           price_json JSON PATH '$.price',
                           has_price INT EXISTS PATH '$.price',
                           service_date VARCHAR(10) PATH '$.date',
                           date_text VARCHAR(60) PATH '$.date',
                           date_json JSON PATH '$.date',
                           has_date INT EXISTS PATH '$.date')) j) checked
           GROUP BY product_id) x;
  IF v_message IS NOT NULL THEN
    SET v_message = SUBSTRING(v_message, 4);
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
END//

-- Within a transaction. Locks the products of canonical lines by their number and prices them. Gives the
-- lines as VALUES of Order_Items, what they come to and in which currency. A service is booked from
-- today on, and its lead time later; a day that is written by hand may be any.
CREATE PROCEDURE sp_PriceLines(p_lines LONGTEXT, OUT ret_values LONGTEXT, OUT ret_total DECIMAL(14,2),
                               OUT ret_currency CHAR(3))
MODIFIES SQL DATA
BEGIN
  DECLARE v_wrong, v_message VARCHAR(500);
  DECLARE v_other_currency CHAR(3);

  -- The join is outer so that the lines, by their number, come before the products that they lock. What is
  -- wrong begins with the line and its SQLSTATE, so that the least is the first.
  SELECT MIN(CONCAT(LPAD(j.nr, 3, '0'), CASE
           WHEN p.product_id IS NULL THEN CONCAT('45003product ', j.product_id, ' does not exist')
           WHEN p.product_status <> 'active' THEN CONCAT('45004product ', j.product_id, ' is retired')
           WHEN j.low <> p.price OR j.high <> p.price
             THEN CONCAT('45008product ', j.product_id, ' costs ', p.price, ' ', p.currency, ', ',
                         IF(j.low <> p.price, j.low, j.high), ' was quoted')
           WHEN p.product_kind = 'service' AND j.day < UTC_DATE() + INTERVAL COALESCE(s.lead_time_days, 0) DAY
             THEN CONCAT('45002service ', j.product_id, ' can be booked from ',
                         UTC_DATE() + INTERVAL COALESCE(s.lead_time_days, 0) DAY, ' on, ', j.day, ' was wanted')
         END)),
         SUM(j.quantity * p.price), MIN(p.currency), MAX(p.currency),
         GROUP_CONCAT('(@placed_order, ', j.product_id, ', ', j.quantity, ', ', p.price, ', ',
                      IF(p.product_kind = 'service',
                         QUOTE(COALESCE(j.day, UTC_DATE() + INTERVAL COALESCE(s.lead_time_days, 0) DAY)), 'NULL'), ')'
                      ORDER BY j.nr)
    INTO v_wrong, ret_total, ret_currency, v_other_currency, ret_values
    FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
           nr FOR ORDINALITY, product_id BIGINT UNSIGNED PATH '$.p', quantity BIGINT PATH '$.q',
           low DECIMAL(12,2) PATH '$.low', high DECIMAL(12,2) PATH '$.high', day DATE PATH '$.d')) j
    LEFT JOIN Products p ON p.product_id = j.product_id
    LEFT JOIN Service_Details s ON p.product_kind = 'service' AND s.product_id = p.product_id
     FOR UPDATE;
  IF v_wrong IS NULL AND v_other_currency <> ret_currency THEN
    SELECT CONCAT('00045012product ', p.product_id, ' costs ', p.currency, ', others of the order ', ret_currency)
      INTO v_wrong
      FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (product_id BIGINT UNSIGNED PATH '$.p')) j
      JOIN Products p ON p.product_id = j.product_id
     WHERE p.currency <> ret_currency ORDER BY p.product_id LIMIT 1;
  END IF;
  IF v_wrong IS NOT NULL THEN
    SET v_message = SUBSTRING(v_wrong, 9);
    CASE SUBSTRING(v_wrong, 4, 5)
      WHEN '45002' THEN SIGNAL SQLSTATE '45002' SET MESSAGE_TEXT = v_message;
      WHEN '45003' THEN SIGNAL SQLSTATE '45003' SET MESSAGE_TEXT = v_message;
      WHEN '45004' THEN SIGNAL SQLSTATE '45004' SET MESSAGE_TEXT = v_message;
      WHEN '45008' THEN SIGNAL SQLSTATE '45008' SET MESSAGE_TEXT = v_message;
      WHEN '45012' THEN SIGNAL SQLSTATE '45012' SET MESSAGE_TEXT = v_message;
    END CASE;
  END IF;
END//

-- As before (065-stock.sql); a line of an order that is being placed comes with all that is asked for here.
CREATE OR REPLACE TRIGGER tr_item_comes BEFORE INSERT ON Order_Items FOR EACH ROW
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE v_is_service INT;
  DECLARE v_lead_days INT;
  DECLARE v_message VARCHAR(500);

  IF NEW.order_id <=> @placed_order THEN
    SET NEW.returned_quantity = 0, NEW.stock_taken = NEW.quantity;
  ELSEIF NOT NEW.stock_taken <=> 0 THEN
    SELECT MAX(order_status) INTO v_status FROM Orders WHERE order_id = NEW.order_id FOR UPDATE;
    IF v_status IN ('cancelled', 'returned') THEN
      SET v_message = CONCAT('order ', NEW.order_id, ' is ', v_status, ' and takes no more lines');
      SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
    END IF;
    SELECT MAX(product_kind = 'service') INTO v_is_service FROM Products
     WHERE product_id = NEW.product_id FOR UPDATE;
    SET NEW.returned_quantity = 0, NEW.stock_taken = NEW.quantity;
    IF v_is_service THEN
      SELECT MAX(lead_time_days) INTO v_lead_days FROM Service_Details WHERE product_id = NEW.product_id;
      SET NEW.service_date = COALESCE(NEW.service_date, UTC_DATE() + INTERVAL COALESCE(v_lead_days, 0) DAY);
    ELSE
      SET NEW.service_date = NULL;
    END IF;
  END IF;
END//

-- What the lines come to is added when all of them are there.
CREATE OR REPLACE TRIGGER tr_item_came AFTER INSERT ON Order_Items FOR EACH ROW
BEGIN
  IF NEW.stock_taken > 0 THEN
    CALL sp_TakeStock(NEW.product_id, NEW.stock_taken, NEW.service_date, NEW.order_id);
  END IF;
  IF NOT NEW.order_id <=> @placed_order THEN
    CALL sp_AddToOrder(NEW.order_id, NEW.quantity * NEW.price, NEW.stock_taken = 0);
  ELSE
    SET @placed_amount = @placed_amount + NEW.quantity * NEW.price, @placed_lines = @placed_lines - 1;
    IF @placed_lines = 0 THEN
      SET @placed_order = NULL;
      CALL sp_AddToOrder(NEW.order_id, @placed_amount, FALSE);
    END IF;
  END IF;
END//

CREATE OR REPLACE PROCEDURE sp_TryOrder(p_customer_id BIGINT UNSIGNED, p_address_id BIGINT UNSIGNED,
                                        p_lines LONGTEXT, p_key VARCHAR(64) CHARACTER SET ascii, p_hash BINARY(32),
                                        p_channel VARCHAR(32), p_cart_id BIGINT UNSIGNED,
                                        OUT ret_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_address_id BIGINT UNSIGNED DEFAULT p_address_id;
  DECLARE v_values LONGTEXT;
  DECLARE v_currency CHAR(3);
  DECLARE v_total DECIMAL(14,2);
  DECLARE v_locked INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET @placed_order = NULL;
    RESIGNAL;
  END;

  CALL sp_BeginRequest(p_customer_id, p_key, p_hash, ret_order_id);
  IF ret_order_id IS NULL THEN
    CALL sp_CheckCustomer(p_customer_id, v_address_id);
    IF p_cart_id IS NOT NULL THEN
      CALL sp_CheckCart(p_cart_id, p_customer_id);
      FOR l IN (SELECT product_id FROM Cart_Items WHERE cart_id = p_cart_id
                 UNION SELECT product_id FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
                   product_id BIGINT UNSIGNED PATH '$.p')) j
                 ORDER BY product_id) DO
        SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = l.product_id FOR UPDATE;
      END FOR;
      CALL sp_EmptyCart(p_cart_id);
    END IF;
    CALL sp_PriceLines(p_lines, v_values, v_total, v_currency);
    INSERT INTO Orders (customer_id, address_id, order_date, currency, sales_channel, ship_street, ship_city,
                        ship_state, ship_zip, ship_country)
    SELECT p_customer_id, v_address_id, UTC_TIMESTAMP(), v_currency, p_channel, a.street, a.city, a.state,
           a.zip, a.country
      FROM (SELECT 1) one LEFT JOIN Customer_Addresses a ON a.address_id = v_address_id;
    SET ret_order_id = LAST_INSERT_ID(), @placed_order = ret_order_id, @placed_amount = 0,
        @placed_lines = JSON_LENGTH(p_lines);
    EXECUTE IMMEDIATE CONCAT(
      'INSERT INTO Order_Items (order_id, product_id, quantity, price, service_date) VALUES ', v_values);
    UPDATE Order_Requests SET order_id = ret_order_id, total_amount = v_total, currency = v_currency
     WHERE customer_id = p_customer_id AND idempotency_key = p_key;
  END IF;
END//

-- Within a transaction: as before (090-carts.sql), with all lines priced at once.
CREATE OR REPLACE PROCEDURE sp_TryReserve(p_customer_id BIGINT UNSIGNED, p_lines LONGTEXT, p_minutes INT,
                                          OUT ret_cart_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_address_id BIGINT UNSIGNED;
  DECLARE v_priced LONGTEXT;
  DECLARE v_total DECIMAL(14,2);
  DECLARE v_currency CHAR(3);
  DECLARE v_left, v_held, v_tries INT DEFAULT 0;
  DECLARE v_message VARCHAR(500);

  CALL sp_CheckCustomer(p_customer_id, v_address_id);
  INSERT INTO Carts (customer_id, expires_at)
  VALUES (p_customer_id, UTC_TIMESTAMP(3) + INTERVAL p_minutes MINUTE);
  SET ret_cart_id = LAST_INSERT_ID();
  CALL sp_PriceLines(p_lines, v_priced, v_total, v_currency);
  FOR l IN (SELECT product_id, quantity FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
              nr FOR ORDINALITY, product_id BIGINT UNSIGNED PATH '$.p', quantity BIGINT PATH '$.q')) j
             ORDER BY nr) DO
    SET v_held = 0, v_tries = 0;
    WHILE v_held = 0 AND v_tries < 2 DO
      IF v_tries = 1 THEN
        CALL sp_ReleaseExpired(l.product_id);
      END IF;
      UPDATE Products SET reserved_quantity = reserved_quantity + l.quantity
       WHERE product_id = l.product_id AND stock_quantity - reserved_quantity >= l.quantity;
      SET v_held = ROW_COUNT(), v_tries = v_tries + 1;
    END WHILE;
    IF v_held = 0 THEN
      SELECT MAX(stock_quantity - reserved_quantity) INTO v_left FROM Products
       WHERE product_id = l.product_id FOR UPDATE;
      SET v_message = IF(v_left IS NULL, CONCAT('product ', l.product_id, ' is a service, which no cart holds'),
                         CONCAT('product ', l.product_id, ' has ', GREATEST(0, v_left), ' left, ', l.quantity,
                                ' wanted'));
      SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = v_message;
    END IF;
    INSERT INTO Cart_Items (cart_id, product_id, quantity) VALUES (ret_cart_id, l.product_id, l.quantity);
  END FOR;
END//

DROP PROCEDURE IF EXISTS sp_PriceLine//

-- As before (070-order-states.sql); what a feed calls returned was paid back.
CREATE OR REPLACE TRIGGER tr_order_comes BEFORE INSERT ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  SET NEW.total_amount = 0;
  IF NEW.payment_status = 'open' THEN
    SET NEW.payment_status = f_get_payment_status(NEW.order_status);
  END IF;
ELSE
  SET NEW.payment_status = f_get_payment_status(NEW.order_status);
  IF NEW.order_status = 'returned' AND NEW.refunded_amount = 0 THEN
    SET NEW.refunded_amount = NEW.total_amount;
  END IF;
  IF NEW.sales_channel = 'direct' THEN
    SET NEW.sales_channel = 'import';
  END IF;
END IF//

-- As before (070-order-states.sql), and what a feed calls returned was paid back, unless
-- something was paid back here.
CREATE OR REPLACE TRIGGER tr_order_changes BEFORE UPDATE ON Orders FOR EACH ROW
BEGIN
  DECLARE v_message VARCHAR(500);
  DECLARE v_refund DECIMAL(14,2);
  DECLARE v_holding INT;

  IF OLD.external_id IS NOT NULL THEN
    SET v_refund = IF(NEW.order_status = 'returned', NEW.total_amount, 0);
    IF NEW.refunded_amount = OLD.refunded_amount AND NEW.refunded_amount <> v_refund
       AND OLD.refunded_amount = IF(OLD.order_status = 'returned', OLD.total_amount, 0)
       AND NOT EXISTS (SELECT 1 FROM Order_Events WHERE order_id = OLD.order_id AND event_kind = 'returned') THEN
      SET NEW.refunded_amount = v_refund;
    END IF;
    IF NEW.order_status <> OLD.order_status AND NEW.payment_status = OLD.payment_status THEN
      SET NEW.payment_status = f_get_payment_status(NEW.order_status);
      IF NEW.refunded_amount > 0 AND NEW.order_status <> 'returned' THEN
        SET NEW.payment_status = IF(NEW.order_status = 'cancelled', 'refunded', 'part_refunded');
      END IF;
    END IF;
  ELSEIF NEW.order_status <> OLD.order_status THEN
    IF CONCAT(OLD.order_status, ' ', NEW.order_status) NOT IN
       ('pending paid', 'pending cancelled', 'paid shipped', 'paid cancelled', 'shipped delivered',
        'shipped returned', 'delivered returned') THEN
      SET v_message = CONCAT('order ', OLD.order_id, ' is ', OLD.order_status, ' and cannot become ',
                             NEW.order_status);
      SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
    END IF;
    IF NEW.order_status IN ('cancelled', 'returned') THEN
      SELECT COUNT(*) INTO v_holding FROM Order_Items
       WHERE order_id = OLD.order_id AND stock_taken > 0 LOCK IN SHARE MODE;
      IF v_holding > 0 THEN
        SET v_message = CONCAT('order ', OLD.order_id, ' holds stock: ',
          IF(NEW.order_status = 'cancelled', 'CALL sp_CancelOrder', 'CALL sp_ReturnItems'));
        SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
      END IF;
    END IF;
    IF NEW.order_status = 'paid' THEN
      SET NEW.payment_status = 'paid';
    ELSEIF NEW.order_status = 'cancelled' AND OLD.payment_status = 'open' THEN
      SET NEW.payment_status = 'void';
    END IF;
  END IF;
END//

-- As before (070-order-states.sql); what was given back is told when there is something.
CREATE OR REPLACE TRIGGER TR_Order_Update_Log AFTER UPDATE ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  IF NEW.order_status <> OLD.order_status THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'status', OLD.order_status, NEW.order_status);
  END IF;
  IF NEW.payment_status <> OLD.payment_status OR NEW.refunded_amount <> OLD.refunded_amount THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'payment',
            CONCAT(OLD.payment_status, IF(OLD.refunded_amount > 0, CONCAT(' ', OLD.refunded_amount), '')),
            CONCAT(NEW.payment_status, IF(NEW.refunded_amount > 0, CONCAT(' ', NEW.refunded_amount), '')));
  END IF;
  IF NEW.total_amount <> OLD.total_amount AND OLD.order_status <> 'pending' THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'lines', OLD.total_amount, NEW.total_amount);
  END IF;
  IF NOT NEW.address_id <=> OLD.address_id OR NOT NEW.ship_street <=> OLD.ship_street THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'address', OLD.address_id, NEW.address_id);
  END IF;
END IF//

-- Within a transaction: locks the order. One that is archived is there, but cannot be changed.
CREATE OR REPLACE PROCEDURE sp_LockOrder(p_order_id BIGINT UNSIGNED, OUT ret_status VARCHAR(20))
READS SQL DATA
BEGIN
  DECLARE v_message VARCHAR(500);

  SELECT MAX(order_status) INTO ret_status FROM Orders WHERE order_id = p_order_id FOR UPDATE;
  IF ret_status IS NULL THEN
    SELECT CONCAT('order ', MAX(order_id), ' is archived and cannot be changed') INTO v_message
      FROM TR_Orders_Archive WHERE order_id = p_order_id;
    IF v_message IS NOT NULL THEN
      SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
    END IF;
    SET v_message = CONCAT('order ', COALESCE(p_order_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45013' SET MESSAGE_TEXT = v_message;
  END IF;
END//

-- Within a transaction: the order is locked before its line, as by all (080-place-order.sql). The line's
-- triggers take or give back the difference. What was paid would be paid no more: then it is refused.
CREATE OR REPLACE PROCEDURE sp_TryQuantity(p_order_item_id BIGINT UNSIGNED, p_quantity BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_order_id BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(20);
  DECLARE v_message VARCHAR(500);

  SELECT MAX(order_id) INTO v_order_id FROM Order_Items WHERE order_item_id = p_order_item_id;
  IF v_order_id IS NOT NULL THEN
    CALL sp_LockOrder(v_order_id, v_status);
    SELECT MAX(order_id) INTO v_order_id FROM Order_Items
     WHERE order_item_id = p_order_item_id AND order_id = v_order_id FOR UPDATE;
  END IF;
  IF v_order_id IS NULL THEN
    SET v_message = CONCAT('line ', COALESCE(p_order_item_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45013' SET MESSAGE_TEXT = v_message;
  END IF;
  IF v_status <> 'pending' THEN
    CALL sp_RefuseState(v_order_id, v_status, 'change its lines');
  END IF;
  UPDATE Order_Items SET quantity = p_quantity WHERE order_item_id = p_order_item_id;
END//

DELIMITER ;

UPDATE Orders SET refunded_amount = total_amount
 WHERE external_id IS NOT NULL AND order_status = 'returned' AND payment_status = 'refunded'
   AND refunded_amount = 0;

UPDATE TR_Orders_Archive SET refunded_amount = total_amount
 WHERE external_id IS NOT NULL AND order_status = 'returned' AND payment_status = 'refunded'
   AND refunded_amount = 0;
