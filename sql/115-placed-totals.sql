-- An order that is placed is inserted with its total: what its lines come to is known before, so Orders is
-- written once, not once more for its lines, and the queues have an order's rows once less.
--
-- @placed_at tells the trigger of Orders that it is sp_TryOrder which writes. The INSERT sets it itself, to its own
-- time: each later statement has another, so that what is left behind is of no account. Lines go on to be known
-- by @placed_order (110-order-rules.sql).
-- What stands in one DO is one statement; what stands in one SET is not.

DELIMITER //

-- As before (110-order-rules.sql), and an order that is placed has its total.
CREATE OR REPLACE TRIGGER tr_order_comes BEFORE INSERT ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  IF NOT @placed_at <=> UTC_TIMESTAMP(6) THEN
    SET NEW.total_amount = 0;
  END IF;
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

-- A line that is placed is in its order's total; the last one forgets that.
CREATE OR REPLACE TRIGGER tr_item_came AFTER INSERT ON Order_Items FOR EACH ROW
BEGIN
  IF NEW.stock_taken > 0 THEN
    CALL sp_TakeStock(NEW.product_id, NEW.stock_taken, NEW.service_date, NEW.order_id);
  END IF;
  IF NEW.order_id <=> @placed_order THEN
    DO @placed_lines := @placed_lines - 1, @placed_order := IF(@placed_lines > 0, @placed_order, NULL);
  ELSE
    CALL sp_AddToOrder(NEW.order_id, NEW.quantity * NEW.price, NEW.stock_taken = 0);
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
    INSERT INTO Orders (customer_id, address_id, order_date, total_amount, currency, sales_channel, ship_street,
                        ship_city, ship_state, ship_zip, ship_country)
    SELECT p_customer_id, v_address_id, @placed_at := UTC_TIMESTAMP(6), v_total, v_currency, p_channel, a.street,
           a.city, a.state, a.zip, a.country
      FROM (SELECT 1) one LEFT JOIN Customer_Addresses a ON a.address_id = v_address_id;
    SET ret_order_id = LAST_INSERT_ID();
    DO @placed_order := ret_order_id, @placed_lines := JSON_LENGTH(p_lines);
    EXECUTE IMMEDIATE CONCAT(
      'INSERT INTO Order_Items (order_id, product_id, quantity, price, service_date) VALUES ', v_values);
    UPDATE Order_Requests SET order_id = ret_order_id, total_amount = v_total, currency = v_currency
     WHERE customer_id = p_customer_id AND idempotency_key = p_key;
  END IF;
END//

-- As before (065-stock.sql), in fewer statements.
CREATE OR REPLACE PROCEDURE sp_TakeStock(p_product_id BIGINT UNSIGNED, p_quantity INT UNSIGNED,
                                         p_service_date DATE, p_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_tries INT DEFAULT 0;
  DECLARE v_taken INT DEFAULT 0;
  DECLARE v_left INT;
  DECLARE v_message VARCHAR(500);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET @stock_product = NULL, @stock_reason = NULL, @stock_order = NULL;
    RESIGNAL;
  END;

  IF p_service_date IS NOT NULL THEN
    CALL sp_BookService(p_product_id, p_quantity, p_service_date);
  ELSE
    DO @stock_product := p_product_id, @stock_reason := 'order', @stock_order := p_order_id;
    WHILE v_taken = 0 AND v_tries < 2 DO
      IF v_tries = 1 THEN
        CALL sp_ReleaseExpired(p_product_id);
      END IF;
      UPDATE Products SET stock_quantity = stock_quantity - p_quantity
       WHERE product_id = p_product_id
         AND stock_quantity - reserved_quantity >= CAST(p_quantity AS SIGNED);
      SET v_taken = ROW_COUNT(), v_tries = v_tries + 1;
    END WHILE;
    DO @stock_product := NULL, @stock_reason := NULL, @stock_order := NULL;
    IF v_taken = 0 THEN
      SELECT MAX(stock_quantity - reserved_quantity) INTO v_left FROM Products
       WHERE product_id = p_product_id FOR UPDATE;
      SET v_message = CONCAT('product ', p_product_id, ' has ', GREATEST(0, COALESCE(v_left, 0)),
                             ' left, ', p_quantity, ' wanted');
      SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = v_message;
    END IF;
  END IF;
END//

DELIMITER ;
