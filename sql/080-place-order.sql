-- Placing an order. Refusals are SQLSTATEs of class 45 whose text says what is wrong: docs/orders.md
-- lists them. Nothing of a refused order stays, its key neither: asked again, it is tried again.
--
-- sp_PlaceOrder is a transaction of its own: what the caller has open is committed first
-- (sp_InTransaction, as for all that changes orders and carts).
--
-- Locks are taken in one order by all: the request, the customer, the cart, the order, then products by
-- their number, what carts hold of them last. Stock is never read before it is written: the line's
-- trigger takes it by a conditional UPDATE. READ COMMITTED, because ranges that are locked would hold up
-- other orders.

DELIMITER //

-- One of the procedures sp_Try..., in a transaction. A deadlock (1213) or a row that changed meanwhile
-- (1020) begins anew, eight times. Which parameter means what is said beside each call.
--
-- KILL QUERY may hit a handler, too, and the transaction stays open: half an order, which the next
-- call would commit. Its savepoint is the sign that what is open was begun here.
CREATE PROCEDURE sp_InTransaction(p_what VARCHAR(20), p_id BIGINT UNSIGNED, p_second_id BIGINT UNSIGNED,
                                  p_third_id BIGINT UNSIGNED, p_lines LONGTEXT, p_text VARCHAR(32),
                                  p_key VARCHAR(64) CHARACTER SET ascii, p_hash BINARY(32),
                                  OUT ret_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_is_done BOOL DEFAULT FALSE;
  DECLARE v_tries INT DEFAULT 0;

  BEGIN
    DECLARE CONTINUE HANDLER FOR 1305 BEGIN END; -- no such savepoint

    ROLLBACK TO SAVEPOINT order_begun;
  END;
  WHILE NOT v_is_done DO
    BEGIN
      DECLARE EXIT HANDLER FOR 1213, 1020
      BEGIN
        ROLLBACK;
        SET v_tries = v_tries + 1;
        IF v_tries > 8 THEN
          RESIGNAL;
        END IF;
        DO SLEEP(RAND() * 0.002 * v_tries);
      END;
      DECLARE EXIT HANDLER FOR SQLEXCEPTION
      BEGIN
        ROLLBACK;
        RESIGNAL;
      END;

      COMMIT;
      SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
      START TRANSACTION;
      SAVEPOINT order_begun;
      CASE p_what
        -- customer, address, cart; channel
        WHEN 'place' THEN
          CALL sp_TryOrder(p_id, p_second_id, p_lines, p_key, p_hash, p_text, p_third_id, ret_id);
        WHEN 'reserve' THEN -- customer, minutes
          CALL sp_TryReserve(p_id, p_lines, p_second_id, ret_id);
        WHEN 'cancel' THEN -- order
          CALL sp_TryCancel(p_id);
        WHEN 'return' THEN -- order
          CALL sp_TryReturn(p_id, p_lines);
        WHEN 'status' THEN -- order; status
          CALL sp_TryStatus(p_id, p_text);
        WHEN 'release' THEN -- cart
          CALL sp_EmptyCart(p_id);
        WHEN 'archive' THEN -- how many; before which day. Gives how many it moved
          CALL sp_TryArchive(p_text, p_id, ret_id);
        WHEN 'quantity' THEN -- line, quantity
          CALL sp_TryQuantity(p_id, p_second_id);
      END CASE;
      COMMIT;
      SET v_is_done = TRUE;
    END;
  END WHILE;
END//

-- Checks lines as they were sent and makes them canonical: one a product, by its number.
CREATE PROCEDURE sp_ReadLines(p_lines LONGTEXT, p_quoted LONGTEXT, OUT ret_lines LONGTEXT)
NO SQL
BEGIN
  DECLARE v_message VARCHAR(500);

  IF NOT COALESCE(JSON_VALID(p_lines) AND JSON_TYPE(p_lines) = 'ARRAY' AND JSON_LENGTH(p_lines) > 0, 0) THEN
    SIGNAL SQLSTATE '45006' SET MESSAGE_TEXT = 'an order needs lines: [{"product_id": 7, "quantity": 1}]';
  END IF;
  IF JSON_LENGTH(p_lines) > 500 THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'an order has 500 lines at most';
  END IF;
  IF p_quoted IS NOT NULL AND NOT COALESCE(JSON_VALID(p_quoted) AND JSON_TYPE(p_quoted) = 'OBJECT', 0) THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'quoted prices are an object: {"7": 19.99}';
  END IF;
  SET v_message = (
    SELECT CONCAT('line ', nr, ': ', wrong)
      FROM (SELECT nr, CASE
              WHEN NOT COALESCE(product_id REGEXP '^[1-9][0-9]{0,17}$', 0)
                THEN CONCAT('product_id is ', COALESCE(LEFT(product_id, 40), 'missing'), ', not a number')
              WHEN NOT COALESCE(quantity REGEXP '^[1-9][0-9]{0,5}$', 0)
                THEN CONCAT('quantity is ', COALESCE(LEFT(quantity, 40), 'missing'), ', not a number from 1 to 999999')
              WHEN NOT COALESCE(price, JSON_VALUE(p_quoted, CONCAT('$."', product_id, '"')), '0')
                   REGEXP '^[0-9]{1,10}([.][0-9]{1,2})?$'
                THEN CONCAT('price is ', LEFT(COALESCE(price, JSON_VALUE(p_quoted, CONCAT('$."', product_id, '"'))),
                                              40), ', not an amount')
              WHEN service_date IS NOT NULL
                   AND NOT IF(service_date REGEXP '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$',
                              RIGHT(service_date, 2) <= DAY(LAST_DAY(CONCAT(LEFT(service_date, 7), '-01'))), 0)
                THEN CONCAT('date is ', LEFT(service_date, 40), ', not a day such as 2026-12-24')
            END AS wrong
              FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
                     nr FOR ORDINALITY,
                     product_id VARCHAR(60) PATH '$.product_id',
                     quantity VARCHAR(60) PATH '$.quantity',
                     price VARCHAR(60) PATH '$.price',
                     service_date VARCHAR(60) PATH '$.date')) j) x
     WHERE wrong IS NOT NULL ORDER BY nr LIMIT 1);
  IF v_message IS NOT NULL THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  SET v_message = (
    SELECT CONCAT('product ', product_id, ' stands for two days')
      FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (product_id BIGINT UNSIGNED PATH '$.product_id',
                                               service_date VARCHAR(10) PATH '$.date')) j
     GROUP BY product_id HAVING COUNT(DISTINCT service_date) > 1 LIMIT 1);
  IF v_message IS NOT NULL THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  SET ret_lines = (
    SELECT CONCAT('[', GROUP_CONCAT(JSON_OBJECT('p', x.product_id, 'q', x.quantity, 'low', x.low,
                                                'high', x.high, 'd', x.day)
                                    ORDER BY x.product_id), ']')
      FROM (SELECT product_id, SUM(quantity) AS quantity,
                   MIN(price) AS low, MAX(price) AS high,
                   MIN(service_date) AS day
              FROM (SELECT product_id, quantity, service_date,
                           COALESCE(price, CAST(JSON_VALUE(p_quoted, CONCAT('$."', product_id, '"'))
                                                AS DECIMAL(12,2))) AS price
                      FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
                             product_id BIGINT UNSIGNED PATH '$.product_id',
                             quantity INT PATH '$.quantity',
                             price DECIMAL(12,2) PATH '$.price',
                             service_date VARCHAR(10) PATH '$.date')) j) quoted
             GROUP BY product_id) x);
END//

-- One line, whose product is locked: for which price and in which currency.
CREATE PROCEDURE sp_PriceLine(p_product_id BIGINT UNSIGNED, p_low DECIMAL(12,2), p_high DECIMAL(12,2),
                              OUT ret_price DECIMAL(12,2), INOUT ret_currency CHAR(3))
READS SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE v_currency CHAR(3);
  DECLARE v_message VARCHAR(500);

  SELECT MAX(product_status), MAX(price), MAX(currency) INTO v_status, ret_price, v_currency
    FROM Products WHERE product_id = p_product_id FOR UPDATE;
  IF v_status IS NULL THEN
    SET v_message = CONCAT('product ', p_product_id, ' does not exist');
    SIGNAL SQLSTATE '45003' SET MESSAGE_TEXT = v_message;
  END IF;
  IF v_status <> 'active' THEN
    SET v_message = CONCAT('product ', p_product_id, ' is retired');
    SIGNAL SQLSTATE '45004' SET MESSAGE_TEXT = v_message;
  END IF;
  IF p_low <> ret_price OR p_high <> ret_price THEN
    SET v_message = CONCAT('product ', p_product_id, ' costs ', ret_price, ' ', v_currency, ', ',
                           IF(p_low <> ret_price, p_low, p_high), ' was quoted');
    SIGNAL SQLSTATE '45008' SET MESSAGE_TEXT = v_message;
  END IF;
  IF ret_currency <> v_currency THEN
    SET v_message = CONCAT('product ', p_product_id, ' costs ', v_currency, ', others of the order ', ret_currency);
    SIGNAL SQLSTATE '45012' SET MESSAGE_TEXT = v_message;
  END IF;
  SET ret_currency = v_currency;
END//

-- The customer may order, and the address is theirs. Without one: the default address, if there is.
CREATE PROCEDURE sp_CheckCustomer(p_customer_id BIGINT UNSIGNED, INOUT ret_address_id BIGINT UNSIGNED)
READS SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE v_found INT;
  DECLARE v_message VARCHAR(500);

  SELECT MAX(customer_status) INTO v_status FROM Customers
   WHERE customer_id = p_customer_id LOCK IN SHARE MODE;
  IF NOT v_status <=> 'active' THEN
    SET v_message = CONCAT('customer ', COALESCE(p_customer_id, 'NULL'),
                           IF(v_status IS NULL, ' does not exist', ' is inactive'));
    SIGNAL SQLSTATE '45005' SET MESSAGE_TEXT = v_message;
  END IF;
  IF ret_address_id IS NULL THEN
    SELECT MIN(address_id) INTO ret_address_id FROM Customer_Addresses
     WHERE customer_id = p_customer_id AND is_default = 1 LOCK IN SHARE MODE;
  ELSE
    SELECT COUNT(*) INTO v_found FROM Customer_Addresses
     WHERE address_id = ret_address_id AND customer_id = p_customer_id LOCK IN SHARE MODE;
    IF v_found = 0 THEN
      SET v_message = CONCAT('address ', ret_address_id, ' is not one of customer ', p_customer_id);
      SIGNAL SQLSTATE '45011' SET MESSAGE_TEXT = v_message;
    END IF;
  END IF;
END//

-- The cart is the customer's and still there.
CREATE PROCEDURE sp_CheckCart(p_cart_id BIGINT UNSIGNED, p_customer_id BIGINT UNSIGNED)
READS SQL DATA
BEGIN
  DECLARE v_owner BIGINT UNSIGNED;
  DECLARE v_message VARCHAR(500);

  SELECT MAX(customer_id) INTO v_owner FROM Carts WHERE cart_id = p_cart_id FOR UPDATE;
  IF NOT v_owner <=> p_customer_id THEN
    SET v_message = CONCAT('cart ', p_cart_id, ' is over, or not one of customer ', p_customer_id);
    SIGNAL SQLSTATE '45015' SET MESSAGE_TEXT = v_message;
  END IF;
END//

-- What a cart held is free again; the cart goes. Locks: the cart, then product by product its row and
-- what the cart holds of it, which sp_ReleaseExpired may have freed meanwhile.
CREATE PROCEDURE sp_EmptyCart(p_cart_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked, v_held INT;

  SELECT COUNT(*) INTO v_locked FROM Carts WHERE cart_id = p_cart_id FOR UPDATE;
  FOR l IN (SELECT product_id FROM Cart_Items WHERE cart_id = p_cart_id ORDER BY product_id) DO
    SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = l.product_id FOR UPDATE;
    SELECT SUM(quantity) INTO v_held FROM Cart_Items
     WHERE cart_id = p_cart_id AND product_id = l.product_id FOR UPDATE;
    IF v_held IS NOT NULL THEN
      UPDATE Products SET reserved_quantity = GREATEST(0, reserved_quantity - v_held)
       WHERE product_id = l.product_id;
      DELETE FROM Cart_Items WHERE cart_id = p_cart_id AND product_id = l.product_id;
    END IF;
  END FOR;
  DELETE FROM Carts WHERE cart_id = p_cart_id;
END//

-- Within a transaction: the request's row, or the first answer to it.
CREATE PROCEDURE sp_BeginRequest(p_customer_id BIGINT UNSIGNED,
                                 p_key VARCHAR(64) CHARACTER SET ascii, p_hash BINARY(32),
                                 OUT ret_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_is_repeated BOOL DEFAULT FALSE;
  DECLARE v_hash BINARY(32);
  DECLARE v_message VARCHAR(500);
  DECLARE CONTINUE HANDLER FOR 1062 SET v_is_repeated = TRUE;

  INSERT INTO Order_Requests (customer_id, idempotency_key, request_hash) VALUES (p_customer_id, p_key, p_hash);
  IF v_is_repeated THEN
    SELECT MAX(order_id), MAX(request_hash) INTO ret_order_id, v_hash FROM Order_Requests
     WHERE customer_id = p_customer_id AND idempotency_key = p_key FOR UPDATE;
    IF v_hash <> p_hash THEN
      SET v_message = CONCAT('key "', p_key, '" was used for another order of customer ', p_customer_id);
      SIGNAL SQLSTATE '45009' SET MESSAGE_TEXT = v_message;
    END IF;
  END IF;
END//

CREATE PROCEDURE sp_TryOrder(p_customer_id BIGINT UNSIGNED, p_address_id BIGINT UNSIGNED, p_lines LONGTEXT,
                             p_key VARCHAR(64) CHARACTER SET ascii, p_hash BINARY(32), p_channel VARCHAR(32),
                             p_cart_id BIGINT UNSIGNED, OUT ret_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_address_id BIGINT UNSIGNED DEFAULT p_address_id;
  DECLARE v_order_id BIGINT UNSIGNED;
  DECLARE v_price DECIMAL(12,2);
  DECLARE v_currency CHAR(3);
  DECLARE v_total DECIMAL(14,2);
  DECLARE v_locked INT;

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
    FOR l IN (SELECT product_id, quantity, low, high, day FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
                nr FOR ORDINALITY, product_id BIGINT UNSIGNED PATH '$.p', quantity BIGINT PATH '$.q',
                low DECIMAL(12,2) PATH '$.low', high DECIMAL(12,2) PATH '$.high', day DATE PATH '$.d')) j
               ORDER BY nr) DO
      CALL sp_PriceLine(l.product_id, l.low, l.high, v_price, v_currency);
      IF v_order_id IS NULL THEN
        INSERT INTO Orders (customer_id, address_id, order_date, currency, sales_channel, ship_street, ship_city,
                            ship_state, ship_zip, ship_country)
        SELECT p_customer_id, v_address_id, UTC_TIMESTAMP(), v_currency, p_channel, a.street, a.city, a.state,
               a.zip, a.country
          FROM (SELECT 1) one LEFT JOIN Customer_Addresses a ON a.address_id = v_address_id;
        SET v_order_id = LAST_INSERT_ID();
      END IF;
      INSERT INTO Order_Items (order_id, product_id, quantity, price, service_date)
      VALUES (v_order_id, l.product_id, l.quantity, v_price, l.day);
    END FOR;
    SELECT total_amount INTO v_total FROM Orders WHERE order_id = v_order_id;
    UPDATE Order_Requests SET order_id = v_order_id, total_amount = v_total, currency = v_currency
     WHERE customer_id = p_customer_id AND idempotency_key = p_key;
    SET ret_order_id = v_order_id;
  END IF;
END//

-- The whole of it. `p_cart_id`: a cart of the customer whose reservation becomes the order; NULL: none.
CREATE PROCEDURE sp_PlaceOrderFrom(p_customer_id BIGINT UNSIGNED, p_address_id BIGINT UNSIGNED,
                                   p_lines LONGTEXT, p_idempotency_key TEXT CHARACTER SET utf8mb4,
                                   p_quoted_prices LONGTEXT, p_sales_channel VARCHAR(32),
                                   p_cart_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_key VARCHAR(64) CHARACTER SET ascii;
  DECLARE v_lines LONGTEXT;
  DECLARE v_hash BINARY(32);
  DECLARE v_order_id BIGINT UNSIGNED;

  IF NOT COALESCE(p_idempotency_key COLLATE utf8mb4_bin REGEXP '^[ -~]{1,64}\\z', 0) THEN
    SIGNAL SQLSTATE '45009' SET MESSAGE_TEXT = 'an order needs an idempotency key of 1 to 64 ASCII characters';
  END IF;
  IF p_customer_id IS NULL THEN
    SIGNAL SQLSTATE '45005' SET MESSAGE_TEXT = 'customer NULL does not exist';
  END IF;
  SET v_key = p_idempotency_key;
  CALL sp_ReadLines(p_lines, p_quoted_prices, v_lines);
  SET v_hash = UNHEX(SHA2(CONCAT_WS('|', COALESCE(p_address_id, ''), COALESCE(p_cart_id, ''), v_lines), 256));
  CALL sp_InTransaction('place', p_customer_id, p_address_id, p_cart_id, v_lines, COALESCE(p_sales_channel, 'direct'),
                        v_key, v_hash, v_order_id);
  SELECT order_id, total_amount, currency, requested_at AS placed_at FROM Order_Requests
   WHERE customer_id = p_customer_id AND idempotency_key = v_key;
END//

CREATE PROCEDURE sp_PlaceOrder(p_customer_id BIGINT UNSIGNED, p_address_id BIGINT UNSIGNED,
                               p_lines LONGTEXT, p_idempotency_key TEXT CHARACTER SET utf8mb4,
                               p_quoted_prices LONGTEXT)
MODIFIES SQL DATA
CALL sp_PlaceOrderFrom(p_customer_id, p_address_id, p_lines, p_idempotency_key, p_quoted_prices, NULL, NULL)//

DELIMITER ;
