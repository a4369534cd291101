-- Stock follows the lines of orders, whoever writes them: sp_PlaceOrder, an import, a hand in the
-- client. A line that comes takes its pieces, a line that goes gives back what it took, and nothing
-- else writes stock_quantity but sp_Restock, loads and corrections. Every change of it leaves a row in
-- Stock_Movements, so that the sum of a product's movements is its stock.
--
-- Lines lock their order and product BEFORE and change them AFTER. The foreign keys of a line take
-- shared locks of both rows: whoever asks for more only afterwards meets others that did the same,
-- and deadlocks. And a BEFORE trigger also runs for a line that is then not inserted (INSERT
-- IGNORE, ON DUPLICATE KEY UPDATE): what it took would be lost.
--
-- A statement that changes lines and names Orders or Products as well (UPDATE … JOIN) is refused by the
-- server (1442), unless all its lines are history of a feed, which change nothing else.
--
-- stock_taken of a line that lives is quantity less returned_quantity. Written as 0 while pieces are
-- out it is settled: they are gone for good, and the line gives nothing back. A line that is inserted
-- with 0 is history, whose pieces were never in this stock.

DELIMITER //

CREATE OR REPLACE TRIGGER tr_product_stock_first AFTER INSERT ON Products FOR EACH ROW
IF NEW.stock_quantity IS NOT NULL THEN
  INSERT INTO Stock_Movements (product_id, quantity, movement_reason)
  VALUES (NEW.product_id, NEW.stock_quantity, 'initial');
END IF//

-- @stock_product, @stock_reason and @stock_order are set by sp_TakeStock and its like, for their own
-- UPDATE alone: when that fails, too, they are forgotten.
CREATE OR REPLACE TRIGGER tr_product_stock_moved AFTER UPDATE ON Products FOR EACH ROW
IF NEW.product_id <> OLD.product_id THEN
  INSERT INTO Stock_Movements (product_id, quantity, movement_reason)
  VALUES (OLD.product_id, -COALESCE(OLD.stock_quantity, 0), 'removed'),
         (NEW.product_id, COALESCE(NEW.stock_quantity, 0), 'initial');
ELSEIF NOT NEW.stock_quantity <=> OLD.stock_quantity THEN
  INSERT INTO Stock_Movements (product_id, quantity, movement_reason, order_id)
  VALUES (NEW.product_id, COALESCE(NEW.stock_quantity, 0) - COALESCE(OLD.stock_quantity, 0),
          IF(@stock_product <=> NEW.product_id, @stock_reason, 'correction'),
          IF(@stock_product <=> NEW.product_id, @stock_order, NULL));
END IF//

CREATE OR REPLACE TRIGGER tr_product_stock_gone AFTER DELETE ON Products FOR EACH ROW
IF OLD.stock_quantity IS NOT NULL THEN
  INSERT INTO Stock_Movements (product_id, quantity, movement_reason)
  VALUES (OLD.product_id, -OLD.stock_quantity, 'removed');
END IF//

CREATE OR REPLACE TRIGGER tr_movement_kept BEFORE UPDATE ON Stock_Movements FOR EACH ROW
SIGNAL SQLSTATE '45020' SET MESSAGE_TEXT = 'movements of stock are never changed: write another one'//

CREATE OR REPLACE TRIGGER tr_movement_stays BEFORE DELETE ON Stock_Movements FOR EACH ROW
SIGNAL SQLSTATE '45020' SET MESSAGE_TEXT = 'movements of stock are never deleted'//

-- Places of a day. The product's row is locked, so that no two make the day's row at once.
CREATE PROCEDURE sp_BookService(p_product_id BIGINT UNSIGNED, p_quantity INT UNSIGNED,
                                p_service_date DATE)
MODIFIES SQL DATA
BEGIN
  DECLARE v_left INT;
  DECLARE v_message VARCHAR(500);

  INSERT IGNORE INTO Service_Days (product_id, service_date, capacity)
  SELECT product_id, p_service_date, daily_capacity FROM Service_Details WHERE product_id = p_product_id;
  UPDATE Service_Days SET booked = booked + p_quantity
   WHERE product_id = p_product_id AND service_date = p_service_date
     AND capacity - booked >= CAST(p_quantity AS SIGNED);
  IF ROW_COUNT() = 0 THEN
    SELECT MAX(capacity - booked) INTO v_left FROM Service_Days
     WHERE product_id = p_product_id AND service_date = p_service_date;
    SET v_message = CONCAT('service ', p_product_id, ' has ', COALESCE(v_left, 0), ' places left on ',
                           p_service_date, ', ', p_quantity, ' wanted');
    SIGNAL SQLSTATE '45002' SET MESSAGE_TEXT = v_message;
  END IF;
END//

-- Frees what the carts of a product held whose time is over. Those that are counted are those that go:
-- by the next statement others may be over. Carts are locked before products and products before what
-- carts hold (sp_EmptyCart), so carts are looked at here without a lock.
CREATE PROCEDURE sp_ReleaseExpired(p_product_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked, v_held INT;
  DECLARE v_freed INT DEFAULT 0;

  SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = p_product_id FOR UPDATE;
  FOR l IN (SELECT i.cart_id FROM Cart_Items i JOIN Carts c ON c.cart_id = i.cart_id
             WHERE i.product_id = p_product_id AND c.expires_at <= UTC_TIMESTAMP(3)) DO
    SELECT SUM(quantity) INTO v_held FROM Cart_Items
     WHERE cart_id = l.cart_id AND product_id = p_product_id FOR UPDATE;
    IF v_held IS NOT NULL THEN
      DELETE FROM Cart_Items WHERE cart_id = l.cart_id AND product_id = p_product_id;
      SET v_freed = v_freed + v_held;
    END IF;
  END FOR;
  IF v_freed > 0 THEN
    UPDATE Products SET reserved_quantity = GREATEST(0, reserved_quantity - v_freed)
     WHERE product_id = p_product_id;
  END IF;
END//

-- Takes pieces, or books places, for a line. SQLSTATE 45001: too few are left; 45002: of that day.
CREATE PROCEDURE sp_TakeStock(p_product_id BIGINT UNSIGNED, p_quantity INT UNSIGNED,
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
    SET @stock_product = p_product_id, @stock_reason = 'order', @stock_order = p_order_id;
    WHILE v_taken = 0 AND v_tries < 2 DO
      IF v_tries = 1 THEN
        CALL sp_ReleaseExpired(p_product_id);
      END IF;
      UPDATE Products SET stock_quantity = stock_quantity - p_quantity
       WHERE product_id = p_product_id
         AND stock_quantity - reserved_quantity >= CAST(p_quantity AS SIGNED);
      SET v_taken = ROW_COUNT(), v_tries = v_tries + 1;
    END WHILE;
    SET @stock_product = NULL, @stock_reason = NULL, @stock_order = NULL;
    IF v_taken = 0 THEN
      SELECT MAX(stock_quantity - reserved_quantity) INTO v_left FROM Products
       WHERE product_id = p_product_id FOR UPDATE;
      SET v_message = CONCAT('product ', p_product_id, ' has ', GREATEST(0, COALESCE(v_left, 0)),
                             ' left, ', p_quantity, ' wanted');
      SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = v_message;
    END IF;
  END IF;
END//

-- Gives back what a line took. `p_reason`: order, return.
CREATE PROCEDURE sp_GiveBackStock(p_product_id BIGINT UNSIGNED, p_quantity INT UNSIGNED,
                                  p_service_date DATE, p_order_id BIGINT UNSIGNED,
                                  p_reason VARCHAR(10))
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET @stock_product = NULL, @stock_reason = NULL, @stock_order = NULL;
    RESIGNAL;
  END;

  IF p_service_date IS NOT NULL THEN
    UPDATE Service_Days SET booked = booked - LEAST(booked, p_quantity)
     WHERE product_id = p_product_id AND service_date = p_service_date;
  ELSE
    SET @stock_product = p_product_id, @stock_reason = p_reason, @stock_order = p_order_id;
    UPDATE Products SET stock_quantity = stock_quantity + p_quantity WHERE product_id = p_product_id;
    SET @stock_product = NULL, @stock_reason = NULL, @stock_order = NULL;
  END IF;
END//

CREATE FUNCTION f_is_from_feed(p_order_id BIGINT UNSIGNED)
RETURNS BOOL READS SQL DATA
RETURN EXISTS (SELECT 1 FROM Orders WHERE order_id = p_order_id AND external_id IS NOT NULL)//

-- The total of an order goes with its lines, by what they change: a sum of them would be read under
-- locks that hold up the lines of other orders. What was charged for an order from a feed is told by
-- the feed: lines that are history change nothing there. Nor do lines that leave for the archive
-- (@archived_order), to which their order went before them.
CREATE PROCEDURE sp_AddToOrder(p_order_id BIGINT UNSIGNED, p_amount DECIMAL(16,2), p_is_history BOOL)
MODIFIES SQL DATA
IF p_amount <> 0 AND NOT (p_order_id <=> @archived_order) AND NOT (p_is_history AND f_is_from_feed(p_order_id)) THEN
  UPDATE Orders SET total_amount = total_amount + p_amount WHERE order_id = p_order_id;
END IF//

CREATE OR REPLACE TRIGGER tr_item_comes BEFORE INSERT ON Order_Items FOR EACH ROW
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE v_is_service INT;
  DECLARE v_lead_days INT;
  DECLARE v_message VARCHAR(500);

  IF NOT NEW.stock_taken <=> 0 THEN
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

CREATE OR REPLACE TRIGGER tr_item_came AFTER INSERT ON Order_Items FOR EACH ROW
BEGIN
  IF NEW.stock_taken > 0 THEN
    CALL sp_TakeStock(NEW.product_id, NEW.stock_taken, NEW.service_date, NEW.order_id);
  END IF;
  CALL sp_AddToOrder(NEW.order_id, NEW.quantity * NEW.price, NEW.stock_taken = 0);
END//

CREATE OR REPLACE TRIGGER tr_item_changes BEFORE UPDATE ON Order_Items FOR EACH ROW
BEGIN
  DECLARE v_locked INT;
  DECLARE v_is_service INT;
  DECLARE v_status VARCHAR(20);
  DECLARE v_message VARCHAR(500);
  -- All of it came back, and now there is more of it: it takes what is new.
  DECLARE v_is_revived BOOL DEFAULT OLD.stock_taken = 0 AND OLD.returned_quantity = OLD.quantity
    AND NEW.returned_quantity < NEW.quantity AND NOT f_is_from_feed(OLD.order_id);

  IF OLD.stock_taken > 0 OR NOT (f_is_from_feed(OLD.order_id) AND f_is_from_feed(NEW.order_id)) THEN
    SELECT COUNT(*) INTO v_locked FROM Orders
     WHERE order_id = LEAST(OLD.order_id, NEW.order_id) FOR UPDATE;
    IF NEW.order_id <> OLD.order_id THEN
      SELECT COUNT(*) INTO v_locked FROM Orders
       WHERE order_id = GREATEST(OLD.order_id, NEW.order_id) FOR UPDATE;
    END IF;
  END IF;
  IF v_is_revived THEN
    SELECT MAX(order_status) INTO v_status FROM Orders WHERE order_id = NEW.order_id FOR UPDATE;
    IF v_status IN ('cancelled', 'returned') THEN
      SET v_message = CONCAT('order ', NEW.order_id, ' is ', v_status, ' and takes no more lines');
      SIGNAL SQLSTATE '45010' SET MESSAGE_TEXT = v_message;
    END IF;
  END IF;
  IF OLD.stock_taken = 0 AND NOT v_is_revived THEN
    SET NEW.stock_taken = 0;
  ELSE
    SELECT COUNT(*) INTO v_locked FROM Products
     WHERE product_id = LEAST(OLD.product_id, NEW.product_id) FOR UPDATE;
    IF NEW.product_id <> OLD.product_id THEN
      SELECT COUNT(*) INTO v_locked FROM Products
       WHERE product_id = GREATEST(OLD.product_id, NEW.product_id) FOR UPDATE;
      SELECT MAX(product_kind = 'service') INTO v_is_service FROM Products
       WHERE product_id = NEW.product_id FOR UPDATE;
      SET NEW.service_date = IF(v_is_service, COALESCE(NEW.service_date, UTC_DATE()), NULL);
    ELSEIF OLD.service_date IS NULL OR NEW.service_date IS NULL THEN
      SET NEW.service_date = OLD.service_date;
    END IF;
    IF v_is_revived OR NOT NEW.stock_taken <=> 0 THEN
      SET NEW.stock_taken = NEW.quantity - LEAST(NEW.quantity, NEW.returned_quantity);
    END IF;
  END IF;
END//

CREATE OR REPLACE TRIGGER tr_item_changed AFTER UPDATE ON Order_Items FOR EACH ROW
BEGIN
  DECLARE v_is_settled BOOL DEFAULT NEW.stock_taken = 0 AND NEW.returned_quantity < NEW.quantity;
  DECLARE v_reason VARCHAR(10) DEFAULT IF(NEW.returned_quantity > OLD.returned_quantity, 'return', 'order');

  IF (OLD.stock_taken > 0 OR NEW.stock_taken > 0) AND NOT v_is_settled THEN
    IF NEW.product_id <> OLD.product_id OR NOT NEW.service_date <=> OLD.service_date THEN
      IF OLD.stock_taken > 0 THEN
        CALL sp_GiveBackStock(OLD.product_id, OLD.stock_taken, OLD.service_date, OLD.order_id, v_reason);
      END IF;
      IF NEW.stock_taken > 0 THEN
        CALL sp_TakeStock(NEW.product_id, NEW.stock_taken, NEW.service_date, NEW.order_id);
      END IF;
    ELSEIF NEW.stock_taken > OLD.stock_taken THEN
      CALL sp_TakeStock(NEW.product_id, NEW.stock_taken - OLD.stock_taken, NEW.service_date, NEW.order_id);
    ELSEIF NEW.stock_taken < OLD.stock_taken THEN
      CALL sp_GiveBackStock(NEW.product_id, OLD.stock_taken - NEW.stock_taken, NEW.service_date,
                            NEW.order_id, v_reason);
    END IF;
  END IF;
  IF NEW.order_id <> OLD.order_id THEN
    CALL sp_AddToOrder(OLD.order_id, -(OLD.quantity * OLD.price), OLD.stock_taken = 0);
    CALL sp_AddToOrder(NEW.order_id, NEW.quantity * NEW.price, OLD.stock_taken = 0);
  ELSE
    CALL sp_AddToOrder(NEW.order_id, NEW.quantity * NEW.price - OLD.quantity * OLD.price,
                       OLD.stock_taken = 0);
  END IF;
END//

CREATE OR REPLACE TRIGGER tr_item_goes BEFORE DELETE ON Order_Items FOR EACH ROW
BEGIN
  DECLARE v_locked INT;

  IF OLD.stock_taken > 0 OR NOT f_is_from_feed(OLD.order_id) THEN
    SELECT COUNT(*) INTO v_locked FROM Orders WHERE order_id = OLD.order_id FOR UPDATE;
  END IF;
  IF OLD.stock_taken > 0 THEN
    SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = OLD.product_id FOR UPDATE;
  END IF;
END//

CREATE OR REPLACE TRIGGER tr_item_went AFTER DELETE ON Order_Items FOR EACH ROW
BEGIN
  IF OLD.stock_taken > 0 THEN
    CALL sp_GiveBackStock(OLD.product_id, OLD.stock_taken, OLD.service_date, OLD.order_id, 'order');
  END IF;
  CALL sp_AddToOrder(OLD.order_id, -(OLD.quantity * OLD.price), OLD.stock_taken = 0);
END//

DELIMITER ;

-- What was in stock before the first movement; the triggers may have written some by now.
INSERT INTO Stock_Movements (product_id, quantity, movement_reason)
SELECT x.product_id, x.missing, 'initial'
  FROM (SELECT p.product_id, p.stock_quantity - COALESCE(SUM(m.quantity), 0) AS missing,
               COUNT(m.movement_id) AS movements
          FROM Products p LEFT JOIN Stock_Movements m ON m.product_id = p.product_id
         WHERE p.stock_quantity IS NOT NULL
         GROUP BY p.product_id) x
 WHERE x.movements = 0 OR x.missing <> 0;
