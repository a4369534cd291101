-- What a caller's session may not decide: numbers of new rows and what time it is. Whoever may call a procedure
-- that its owner defined may also set insert_id, auto_increment_increment and timestamp in the session before: an
-- order with the last number that there is would have been the last order of all.
--
-- Customers' own procedures ask once who it is, not row by row.

DELIMITER //

CREATE OR REPLACE PROCEDURE sp_InTransaction(p_what VARCHAR(20), p_id BIGINT UNSIGNED, p_second_id BIGINT UNSIGNED,
                                             p_third_id BIGINT UNSIGNED, p_lines LONGTEXT, p_text VARCHAR(32),
                                             p_key VARCHAR(64) CHARACTER SET ascii, p_hash BINARY(32),
                                             OUT ret_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_is_done BOOL DEFAULT FALSE;
  DECLARE v_tries INT DEFAULT 0;

  -- DEFAULT is what the server has: in a cluster each node has its own.
  SET insert_id = 0, auto_increment_increment = DEFAULT, auto_increment_offset = DEFAULT, timestamp = DEFAULT;

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

CREATE OR REPLACE PROCEDURE sp_MyProfile()
READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  SELECT customer_id, first_name, last_name, email, phone_number, date_of_birth, registration_date, customer_status,
         locale
    FROM Customers WHERE customer_id = v_customer_id;
END//

CREATE OR REPLACE PROCEDURE sp_MyAddresses()
READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  SELECT address_id, address_type, is_default, street, city, state, zip, country
    FROM Customer_Addresses WHERE customer_id = v_customer_id ORDER BY address_id;
END//

CREATE OR REPLACE PROCEDURE sp_MyOrders()
READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  SELECT order_id, order_date, order_status, payment_status, total_amount, refunded_amount, currency, is_archived
    FROM V_Customer_Order_History WHERE customer_id = v_customer_id ORDER BY order_date DESC, order_id DESC;
END//

CREATE OR REPLACE PROCEDURE sp_MyOrderLines(p_order_id BIGINT UNSIGNED)
READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  SELECT i.product_id, i.quantity, i.price, i.returned_quantity, i.service_date
    FROM Order_Items i JOIN Orders o ON o.order_id = i.order_id
   WHERE o.order_id = p_order_id AND o.customer_id = v_customer_id
  UNION ALL
  SELECT i.product_id, i.quantity, i.price, i.returned_quantity, i.service_date
    FROM TR_Order_Items_Archive i JOIN TR_Orders_Archive o ON o.order_id = i.order_id
   WHERE o.order_id = p_order_id AND o.customer_id = v_customer_id;
END//

CREATE OR REPLACE PROCEDURE sp_MyReviews()
READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  SELECT review_id, product_id, rating, review_title, review_text, review_date
    FROM Reviews WHERE customer_id = v_customer_id ORDER BY review_date DESC, review_id DESC;
END//

DELIMITER ;
