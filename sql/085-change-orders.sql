-- What happens to an order after it was placed; stock that comes; prices that change. As in
-- 080-place-order.sql each procedure is a transaction of its own and refuses with SQLSTATEs of class 45.

DELIMITER //

-- Within a transaction: locks the order.
CREATE PROCEDURE sp_LockOrder(p_order_id BIGINT UNSIGNED, OUT ret_status VARCHAR(20))
READS SQL DATA
BEGIN
  DECLARE v_message VARCHAR(500);

  SELECT MAX(order_status) INTO ret_status FROM Orders WHERE order_id = p_order_id FOR UPDATE;
  IF ret_status IS NULL THEN
    SET v_message = CONCAT('order ', COALESCE(p_order_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45013' SET MESSAGE_TEXT = v_message;
  END IF;
END//

CREATE PROCEDURE sp_RefuseState(p_order_id BIGINT UNSIGNED, p_status VARCHAR(20), p_what VARCHAR(40))
NO SQL
BEGIN
  DECLARE v_message VARCHAR(500) DEFAULT CONCAT('order ', p_order_id, ' is ', p_status, ' and cannot ', p_what);

  SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
END//

-- Within a transaction. Lines stay as they were ordered; what they took goes back.
CREATE PROCEDURE sp_TryCancel(p_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);

  CALL sp_LockOrder(p_order_id, v_status);
  IF v_status NOT IN ('pending', 'paid') THEN
    CALL sp_RefuseState(p_order_id, v_status, 'be cancelled');
  END IF;
  UPDATE Order_Items SET returned_quantity = quantity WHERE order_id = p_order_id ORDER BY product_id;
  UPDATE Orders
     SET order_status = 'cancelled',
         refunded_amount = IF(payment_status = 'paid', total_amount, refunded_amount),
         payment_status = IF(payment_status = 'paid', 'refunded', 'void')
   WHERE order_id = p_order_id;
END//

-- Within a transaction. What comes back goes into stock and is paid back; when all is back the order
-- is returned.
CREATE PROCEDURE sp_TryReturn(p_order_id BIGINT UNSIGNED, p_lines LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE v_left INT;
  DECLARE v_price, v_sum DECIMAL(14,2) DEFAULT 0;
  DECLARE v_message VARCHAR(500);

  CALL sp_LockOrder(p_order_id, v_status);
  IF v_status NOT IN ('shipped', 'delivered') THEN
    CALL sp_RefuseState(p_order_id, v_status, 'be returned');
  END IF;
  FOR l IN (SELECT product_id, quantity FROM JSON_TABLE(p_lines, '$[*]' COLUMNS (
              nr FOR ORDINALITY, product_id BIGINT UNSIGNED PATH '$.p', quantity BIGINT PATH '$.q')) j
             ORDER BY nr) DO
    SELECT MAX(quantity - returned_quantity), MAX(price) INTO v_left, v_price FROM Order_Items
     WHERE order_id = p_order_id AND product_id = l.product_id FOR UPDATE;
    IF COALESCE(v_left, 0) < l.quantity THEN
      SET v_message = CONCAT('order ', p_order_id, ' has ', COALESCE(v_left, 0), ' of product ', l.product_id,
                             ' that can be returned, not ', l.quantity);
      SIGNAL SQLSTATE '45014' SET MESSAGE_TEXT = v_message;
    END IF;
    UPDATE Order_Items SET returned_quantity = returned_quantity + l.quantity
     WHERE order_id = p_order_id AND product_id = l.product_id;
    SET v_sum = v_sum + l.quantity * v_price;
  END FOR;
  SELECT COALESCE(SUM(quantity - returned_quantity), 0) INTO v_left FROM Order_Items
   WHERE order_id = p_order_id FOR UPDATE;
  INSERT INTO Order_Events (order_id, event_kind, value_after) VALUES (p_order_id, 'returned', v_sum);
  UPDATE Orders
     SET order_status = IF(v_left = 0, 'returned', order_status),
         payment_status = IF(v_left = 0, 'refunded', 'part_refunded'),
         refunded_amount = refunded_amount + v_sum
   WHERE order_id = p_order_id;
END//

-- All that is left of an order, as lines for sp_TryReturn.
CREATE FUNCTION f_get_returnable_lines(p_order_id BIGINT UNSIGNED)
RETURNS LONGTEXT READS SQL DATA
RETURN (SELECT COALESCE(CONCAT('[', GROUP_CONCAT(JSON_OBJECT('p', product_id, 'q', quantity - returned_quantity)
                                                 ORDER BY product_id), ']'), '[]')
          FROM Order_Items WHERE order_id = p_order_id AND quantity > returned_quantity)//

-- Within a transaction.
CREATE PROCEDURE sp_TryStatus(p_order_id BIGINT UNSIGNED, p_status VARCHAR(20))
MODIFIES SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);

  CALL sp_LockOrder(p_order_id, v_status);
  UPDATE Orders SET order_status = p_status WHERE order_id = p_order_id;
END//

-- How an order stands, as all of these answer.
CREATE PROCEDURE sp_ShowOrderState(p_order_id BIGINT UNSIGNED)
READS SQL DATA
SELECT order_id, order_status, payment_status, total_amount, refunded_amount, currency FROM Orders
 WHERE order_id = p_order_id//

CREATE PROCEDURE sp_CancelOrder(p_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_none BIGINT UNSIGNED;

  CALL sp_InTransaction('cancel', p_order_id, NULL, NULL, NULL, NULL, NULL, NULL, v_none);
  CALL sp_ShowOrderState(p_order_id);
END//

-- `p_lines` as for sp_PlaceOrder; NULL: all that is left.
CREATE PROCEDURE sp_ReturnItems(p_order_id BIGINT UNSIGNED, p_lines LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_lines LONGTEXT;
  DECLARE v_none BIGINT UNSIGNED;

  IF p_lines IS NULL THEN
    SET v_lines = f_get_returnable_lines(p_order_id);
  ELSE
    CALL sp_ReadLines(p_lines, NULL, v_lines);
  END IF;
  CALL sp_InTransaction('return', p_order_id, NULL, NULL, v_lines, NULL, NULL, NULL, v_none);
  CALL sp_ShowOrderState(p_order_id);
END//

-- paid, shipped or delivered.
CREATE PROCEDURE sp_SetOrderStatus(p_order_id BIGINT UNSIGNED, p_status VARCHAR(20))
MODIFIES SQL DATA
BEGIN
  DECLARE v_message VARCHAR(500);
  DECLARE v_none BIGINT UNSIGNED;

  IF NOT COALESCE(p_status IN ('paid', 'shipped', 'delivered'), 0) THEN
    SET v_message = CONCAT('status is ', COALESCE(LEFT(p_status, 40), 'NULL'),
                           ', not paid, shipped or delivered (sp_CancelOrder cancels, sp_ReturnItems returns)');
    SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
  END IF;
  CALL sp_InTransaction('status', p_order_id, NULL, NULL, NULL, p_status, NULL, NULL, v_none);
  CALL sp_ShowOrderState(p_order_id);
END//

CREATE PROCEDURE sp_Restock(p_product_id BIGINT UNSIGNED, p_quantity INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_changed INT;
  DECLARE v_message VARCHAR(500);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET @stock_product = NULL, @stock_reason = NULL;
    RESIGNAL;
  END;

  IF NOT COALESCE(p_quantity BETWEEN 1 AND 1000000000, 0) THEN
    SET v_message = CONCAT('quantity is ', COALESCE(p_quantity, 'NULL'), ', not a number above 0');
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  SET @stock_product = p_product_id, @stock_reason = 'restock', @stock_order = NULL;
  UPDATE Products SET stock_quantity = stock_quantity + p_quantity
   WHERE product_id = p_product_id AND stock_quantity IS NOT NULL;
  SET v_changed = ROW_COUNT();
  SET @stock_product = NULL, @stock_reason = NULL;
  IF v_changed = 0 THEN
    SET v_message = CONCAT('product ', COALESCE(p_product_id, 'NULL'), ' does not exist or is not kept in stock');
    SIGNAL SQLSTATE '45003' SET MESSAGE_TEXT = v_message;
  END IF;
END//

CREATE PROCEDURE sp_ChangePrice(p_product_id BIGINT UNSIGNED, p_price DECIMAL(12,2))
MODIFIES SQL DATA
BEGIN
  DECLARE v_found INT;
  DECLARE v_message VARCHAR(500);

  IF NOT COALESCE(p_price >= 0, 0) THEN
    SET v_message = CONCAT('price is ', COALESCE(p_price, 'NULL'), ', not an amount');
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = v_message;
  END IF;
  SELECT COUNT(*) INTO v_found FROM Products WHERE product_id = p_product_id;
  IF v_found = 0 THEN
    SET v_message = CONCAT('product ', COALESCE(p_product_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45003' SET MESSAGE_TEXT = v_message;
  END IF;
  UPDATE Products SET price = p_price WHERE product_id = p_product_id;
END//

DELIMITER ;
