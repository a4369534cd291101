-- Access: what `aethermart access apply` keeps here, and what customers may do with what is theirs.
-- Nobody but the schema's owner has a right on these tables (rules/access.yaml names none of them).

CREATE TABLE Access_Keys (
  key_name   VARCHAR(32) NOT NULL,
  inner_pad  BINARY(64) NOT NULL COMMENT 'the key, XORed as HMAC wants it (RFC 2104)',
  outer_pad  BINARY(64) NOT NULL,
  PRIMARY KEY (key_name)
) ENGINE=InnoDB COMMENT='The key of pseudonyms, as masked views use it; its file is the original';

CREATE TABLE Access_Objects (
  object_kind    ENUM('role','account','view') NOT NULL,
  object_name    VARCHAR(160) NOT NULL COMMENT 'of an account: name@host',
  planned_hash   CHAR(32) NULL COMMENT 'of the statement that made a view',
  found_hash     CHAR(64) NULL
                 COMMENT 'of the definition as the server tells it; another one: changed by hand',
  made_at        DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (object_kind, object_name)
) ENGINE=InnoDB COMMENT='What `access apply` made: it drops nothing else';

CREATE TABLE Access_People (
  account_name  VARCHAR(160) NOT NULL COMMENT 'name@host',
  customer_id   BIGINT UNSIGNED NOT NULL COMMENT 'no foreign key: may come later, or be gone',
  PRIMARY KEY (account_name)
) ENGINE=InnoDB COMMENT='Which customer an account is';

DELIMITER //

-- The customer whose account is logged in: USER() is that also in what its owner defines.
CREATE FUNCTION f_my_customer_id()
RETURNS BIGINT UNSIGNED READS SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED;

  SELECT MAX(customer_id) INTO v_customer_id FROM Access_People
   WHERE account_name LIKE CONCAT(REPLACE(SUBSTRING_INDEX(USER(), '@', 1), '_', '\\_'), '@%');
  IF v_customer_id IS NULL THEN
    SIGNAL SQLSTATE '45005' SET MESSAGE_TEXT = 'this account is no customer';
  END IF;
  RETURN v_customer_id;
END//

CREATE PROCEDURE sp_MyProfile()
READS SQL DATA
SELECT customer_id, first_name, last_name, email, phone_number, date_of_birth, registration_date, customer_status,
       locale
  FROM Customers WHERE customer_id = f_my_customer_id()//

CREATE PROCEDURE sp_MyAddresses()
READS SQL DATA
SELECT address_id, address_type, is_default, street, city, state, zip, country
  FROM Customer_Addresses WHERE customer_id = f_my_customer_id() ORDER BY address_id//

CREATE PROCEDURE sp_MyOrders()
READS SQL DATA
SELECT order_id, order_date, order_status, payment_status, total_amount, refunded_amount, currency, is_archived
  FROM V_Customer_Order_History WHERE customer_id = f_my_customer_id() ORDER BY order_date DESC, order_id DESC//

CREATE PROCEDURE sp_MyOrderLines(p_order_id BIGINT UNSIGNED)
READS SQL DATA
SELECT i.product_id, i.quantity, i.price, i.returned_quantity, i.service_date
  FROM Order_Items i JOIN Orders o ON o.order_id = i.order_id
 WHERE o.order_id = p_order_id AND o.customer_id = f_my_customer_id()
UNION ALL
SELECT i.product_id, i.quantity, i.price, i.returned_quantity, i.service_date
  FROM TR_Order_Items_Archive i JOIN TR_Orders_Archive o ON o.order_id = i.order_id
 WHERE o.order_id = p_order_id AND o.customer_id = f_my_customer_id()//

CREATE PROCEDURE sp_MyReviews()
READS SQL DATA
SELECT review_id, product_id, rating, review_title, review_text, review_date
  FROM Reviews WHERE customer_id = f_my_customer_id() ORDER BY review_date DESC, review_id DESC//

CREATE PROCEDURE sp_MyOrder(p_address_id BIGINT UNSIGNED, p_lines LONGTEXT,
                            p_idempotency_key TEXT CHARACTER SET utf8mb4, p_quoted_prices LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();

  CALL sp_PlaceOrderFrom(v_customer_id, p_address_id, p_lines, p_idempotency_key, p_quoted_prices, 'customer', NULL);
END//

-- Somebody else's order is none, in the same words as one that does not exist.
CREATE PROCEDURE sp_CancelMyOrder(p_order_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_customer_id BIGINT UNSIGNED DEFAULT f_my_customer_id();
  DECLARE v_message VARCHAR(500);

  IF NOT EXISTS (SELECT 1 FROM V_Customer_Order_History
                  WHERE order_id = p_order_id AND customer_id = v_customer_id) THEN
    SET v_message = CONCAT('order ', COALESCE(p_order_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45013' SET MESSAGE_TEXT = v_message;
  END IF;
  CALL sp_CancelOrder(p_order_id);
END//

DELIMITER ;

-- What the schema is, without a row of it.
CREATE VIEW v_Schema_Columns AS
SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, ORDINAL_POSITION AS position, COLUMN_TYPE AS column_type,
       IS_NULLABLE AS is_nullable, COLUMN_KEY AS column_key, COLUMN_COMMENT AS column_comment
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE();
