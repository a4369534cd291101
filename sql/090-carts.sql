-- Carts hold stock for a time. What they hold is Products.reserved_quantity: nobody else can order
-- it, the cart's customer can (sp_PlaceOrderFrom). When its time is over it is free again: at once for
-- whoever would else find too little (sp_TakeStock and sp_ReserveCart look), for all others within a
-- minute, by the event, where the server's event scheduler is on.

DELIMITER //

-- Within a transaction.
CREATE PROCEDURE sp_TryReserve(p_customer_id BIGINT UNSIGNED, p_lines LONGTEXT, p_minutes INT,
                               OUT ret_cart_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_address_id BIGINT UNSIGNED;
  DECLARE v_price DECIMAL(12,2);
  DECLARE v_currency CHAR(3);
  DECLARE v_left, v_held, v_tries INT DEFAULT 0;
  DECLARE v_message VARCHAR(500);

  CALL sp_CheckCustomer(p_customer_id, v_address_id);
  INSERT INTO Carts (customer_id, expires_at)
  VALUES (p_customer_id, UTC_TIMESTAMP(3) + INTERVAL p_minutes MINUTE);
  SET ret_cart_id = LAST_INSERT_ID();
  FOR l IN (SELECT product_id, quantity, low, high FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
              nr FOR ORDINALITY, product_id BIGINT UNSIGNED PATH '$.p', quantity BIGINT PATH '$.q',
              low DECIMAL(12,2) PATH '$.low', high DECIMAL(12,2) PATH '$.high')) j
             ORDER BY nr) DO
    CALL sp_PriceLine(l.product_id, l.low, l.high, v_price, v_currency);
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

-- Lines as for sp_PlaceOrder; the cart holds them for so many minutes.
CREATE PROCEDURE sp_ReserveCart(p_customer_id BIGINT UNSIGNED, p_lines LONGTEXT, p_minutes INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_lines LONGTEXT;
  DECLARE v_cart_id BIGINT UNSIGNED;

  IF NOT COALESCE(p_minutes BETWEEN 1 AND 1440, 0) THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'a cart holds its things for 1 to 1440 minutes';
  END IF;
  CALL sp_ReadLines(p_lines, NULL, v_lines);
  CALL sp_InTransaction('reserve', p_customer_id, p_minutes, NULL, v_lines, NULL, NULL, NULL, v_cart_id);
  SELECT cart_id, expires_at FROM Carts WHERE cart_id = v_cart_id;
END//

-- Frees what a cart holds. One that is gone holds nothing.
CREATE PROCEDURE sp_ReleaseCart(p_cart_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_none BIGINT UNSIGNED;

  CALL sp_InTransaction('release', p_cart_id, NULL, NULL, NULL, NULL, NULL, NULL, v_none);
END//

CREATE PROCEDURE sp_ReleaseExpiredCarts()
MODIFIES SQL DATA
FOR c IN (SELECT cart_id FROM Carts WHERE expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT 10000) DO
  CALL sp_ReleaseCart(c.cart_id);
END FOR//

CREATE EVENT ev_release_carts ON SCHEDULE EVERY 1 MINUTE
DO CALL sp_ReleaseExpiredCarts()//

DELIMITER ;
