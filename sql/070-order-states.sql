-- The states of an order, what may follow which, and the log of what happened. Orders from feeds are
-- told their states by the feed: they go from any state to any other, and are not logged.
--
--   pending -> paid -> shipped -> delivered
--   pending, paid -> cancelled         shipped, delivered -> returned

DELIMITER //

CREATE FUNCTION f_get_payment_status(p_order_status VARCHAR(20))
RETURNS VARCHAR(20) DETERMINISTIC NO SQL
RETURN CASE p_order_status WHEN 'pending' THEN 'open' WHEN 'cancelled' THEN 'void'
                           WHEN 'returned' THEN 'refunded' ELSE 'paid' END//

-- The total of an order that is not from a feed is that of its lines, which come later.
CREATE OR REPLACE TRIGGER tr_order_comes BEFORE INSERT ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  SET NEW.total_amount = 0;
  IF NEW.payment_status = 'open' THEN
    SET NEW.payment_status = f_get_payment_status(NEW.order_status);
  END IF;
ELSE
  SET NEW.payment_status = f_get_payment_status(NEW.order_status);
  IF NEW.sales_channel = 'direct' THEN
    SET NEW.sales_channel = 'import';
  END IF;
END IF//

CREATE OR REPLACE TRIGGER tr_order_came AFTER INSERT ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  INSERT INTO Order_Events (order_id, event_kind, value_after)
  VALUES (NEW.order_id, 'placed', NEW.order_status);
END IF//

-- Cancelling and returning give stock back, which is done line by line: an order whose lines still
-- hold what they took cannot be called cancelled.
CREATE OR REPLACE TRIGGER tr_order_changes BEFORE UPDATE ON Orders FOR EACH ROW
BEGIN
  DECLARE v_message VARCHAR(500);
  DECLARE v_holding INT;

  IF NEW.order_status <> OLD.order_status AND OLD.external_id IS NOT NULL THEN
    IF NEW.payment_status = OLD.payment_status THEN
      SET NEW.payment_status = f_get_payment_status(NEW.order_status);
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

-- A total is logged once the order is more than pending: while it is put together it only grows.
CREATE OR REPLACE TRIGGER TR_Order_Update_Log AFTER UPDATE ON Orders FOR EACH ROW
IF NEW.external_id IS NULL THEN
  IF NEW.order_status <> OLD.order_status THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'status', OLD.order_status, NEW.order_status);
  END IF;
  IF NEW.payment_status <> OLD.payment_status OR NEW.refunded_amount <> OLD.refunded_amount THEN
    INSERT INTO Order_Events (order_id, event_kind, value_before, value_after)
    VALUES (NEW.order_id, 'payment', CONCAT(OLD.payment_status, ' ', OLD.refunded_amount),
            CONCAT(NEW.payment_status, ' ', NEW.refunded_amount));
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

DELIMITER ;
