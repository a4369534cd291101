-- Erasing a person: what goes, what stays without a name, and what keeps it from coming back. `aethermart
-- privacy erase` calls sp_EraseCustomer in a transaction of its own and follows the copies (src/govern/erase.h).
--
-- The row of Customers stays, without anything that says who it was, because orders hang on it: they keep
-- their lines and totals. Reviews go. Nothing of it can be taken back.

ALTER TABLE Customers
  ADD COLUMN erased_at DATETIME(3) NULL
    COMMENT 'UTC; not NULL: the person was erased, the row stands for their orders';

CREATE TABLE Erasures (
  erasure_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  subject         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'key of whose data it was',
  erasure_state   ENUM('copies','done') NOT NULL COMMENT 'copies: the shop''s rows are done, what was made of them not yet',
  requested_by    VARCHAR(160) NOT NULL COMMENT 'os:NAME',
  purpose         VARCHAR(190) NOT NULL COMMENT 'empty: not said',
  begun_at        DATETIME(3) NOT NULL COMMENT 'UTC',
  finished_at     DATETIME(3) NULL COMMENT 'UTC; NULL: not yet',
  sought          LONGBLOB NULL COMMENT 'what copies are searched for, sealed by a key that is not here; NULL when done',
  receipts        LONGTEXT NOT NULL COMMENT 'JSON: what each store did',
  certificate     LONGTEXT NULL COMMENT 'JSON, signed; NULL: not yet',
  PRIMARY KEY (erasure_id),
  UNIQUE KEY uq_erasure_subject (subject) COMMENT 'a person is erased once; resume'
) ENGINE=InnoDB COMMENT='Who was erased, how far, and the proof';

CREATE TABLE Erased_Keys (
  fingerprint  CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
               COMMENT 'HMAC-SHA-256 of a key of the feed or an e-mail address, hex, by a key that is not here',
  erasure_id   BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (fingerprint),
  KEY ix_erased_erasure (erasure_id) COMMENT 'letting somebody come again',
  CONSTRAINT fk_erased_erasure FOREIGN KEY (erasure_id) REFERENCES Erasures (erasure_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT
) ENGINE=InnoDB COMMENT='Whom `load` refuses: a row with one of these was erased, and would come back';

CREATE TABLE Legal_Holds (
  subject    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'key of whose data it is',
  reason     VARCHAR(190) NOT NULL,
  held_by    VARCHAR(160) NOT NULL COMMENT 'os:NAME',
  held_at    DATETIME(3) NOT NULL COMMENT 'UTC',
  held_until DATE NULL COMMENT 'the last day; NULL: until it is released',
  PRIMARY KEY (subject)
) ENGINE=InnoDB COMMENT='Whose data has to be kept, whatever they ask for';

DELIMITER //

-- Within a transaction. Answers what became of which table, a row each.
CREATE PROCEDURE sp_EraseCustomer(p_customer_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_external_id VARCHAR(64);
  DECLARE v_email VARCHAR(254);
  DECLARE v_phone VARCHAR(32);
  DECLARE v_found, v_open BIGINT UNSIGNED;
  DECLARE v_profiles, v_addresses, v_orders, v_archived, v_reviews, v_carts, v_requests, v_events, v_staged, v_logs,
          v_aliases, v_accounts INT DEFAULT 0;
  DECLARE v_message VARCHAR(500);

  SELECT MAX(customer_id), MAX(external_id), MAX(email), MAX(phone_number)
    INTO v_found, v_external_id, v_email, v_phone
    FROM Customers WHERE customer_id = p_customer_id FOR UPDATE;
  IF v_found IS NULL THEN
    SET v_message = CONCAT('customer ', COALESCE(p_customer_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45024' SET MESSAGE_TEXT = v_message;
  END IF;
  IF EXISTS (SELECT 1 FROM Legal_Holds WHERE subject = p_customer_id
                AND COALESCE(held_until >= UTC_DATE(), TRUE)) THEN
    SIGNAL SQLSTATE '45021' SET MESSAGE_TEXT = 'the customer''s data is held';
  END IF;
  -- What was ordered here and is not sent yet needs the address. Orders of feeds are history.
  SELECT MIN(order_id) INTO v_open FROM Orders
   WHERE customer_id = p_customer_id AND external_id IS NULL AND order_status IN ('pending', 'paid');
  IF v_open IS NOT NULL THEN
    SET v_message = CONCAT('order ', v_open, ' is not sent yet: send or cancel it first');
    SIGNAL SQLSTATE '45022' SET MESSAGE_TEXT = v_message;
  END IF;
  IF IS_USED_LOCK(CONCAT('aethermart_load.', DATABASE())) IS NOT NULL THEN
    SIGNAL SQLSTATE '45023' SET MESSAGE_TEXT = 'a load is running: wait for its end';
  END IF;

  -- Keys of the feed under which logs and staged rows know the person.
  CREATE OR REPLACE TEMPORARY TABLE Erased_References (
    entity VARCHAR(40) NOT NULL, entity_key VARCHAR(140) NOT NULL, PRIMARY KEY (entity, entity_key));
  INSERT IGNORE INTO Erased_References
  SELECT 'customers', v_external_id FROM DUAL WHERE v_external_id IS NOT NULL
  UNION ALL
  SELECT 'customers', external_id FROM Feed_Aliases WHERE entity = 'customers' AND target_id = p_customer_id
  UNION ALL
  SELECT 'addresses', external_id FROM Customer_Addresses
   WHERE customer_id = p_customer_id AND external_id IS NOT NULL
  UNION ALL
  SELECT 'reviews', external_id FROM Reviews WHERE customer_id = p_customer_id AND external_id IS NOT NULL;

  UPDATE Products p
    JOIN (SELECT i.product_id, SUM(i.quantity) AS quantity
            FROM Carts c JOIN Cart_Items i ON i.cart_id = c.cart_id
           WHERE c.customer_id = p_customer_id GROUP BY i.product_id) held ON held.product_id = p.product_id
     SET p.reserved_quantity = GREATEST(0, p.reserved_quantity - held.quantity);
  DELETE i FROM Cart_Items i JOIN Carts c ON c.cart_id = i.cart_id WHERE c.customer_id = p_customer_id;
  DELETE FROM Carts WHERE customer_id = p_customer_id;
  SET v_carts = ROW_COUNT();

  DELETE FROM Reviews WHERE customer_id = p_customer_id;
  SET v_reviews = ROW_COUNT();
  DELETE FROM Order_Requests WHERE customer_id = p_customer_id;
  SET v_requests = ROW_COUNT();
  UPDATE Orders SET address_id = NULL, ship_street = NULL, ship_city = NULL, ship_zip = NULL
   WHERE customer_id = p_customer_id;
  SET v_orders = ROW_COUNT();
  UPDATE TR_Orders_Archive SET address_id = NULL, ship_street = NULL, ship_city = NULL, ship_zip = NULL
   WHERE customer_id = p_customer_id;
  SET v_archived = ROW_COUNT();
  DELETE e FROM Order_Events e
   WHERE e.event_kind = 'address'
     AND e.order_id IN (SELECT order_id FROM Orders WHERE customer_id = p_customer_id
                        UNION ALL SELECT order_id FROM TR_Orders_Archive WHERE customer_id = p_customer_id);
  SET v_events = ROW_COUNT();
  DELETE FROM Customer_Addresses WHERE customer_id = p_customer_id;
  SET v_addresses = ROW_COUNT();
  DELETE FROM Access_People WHERE customer_id = p_customer_id;
  SET v_accounts = ROW_COUNT();
  DELETE FROM Access_Tokens WHERE customer_id = p_customer_id;
  SET v_accounts = v_accounts + ROW_COUNT();

  DELETE s FROM Staging_Customers s JOIN Erased_References r ON r.entity = 'customers' AND r.entity_key = s.external_id;
  SET v_staged = ROW_COUNT();
  DELETE s FROM Staging_Addresses s JOIN Erased_References r ON r.entity = 'customers' AND r.entity_key = s.customer_ref;
  SET v_staged = v_staged + ROW_COUNT();
  DELETE s FROM Staging_Orders s JOIN Erased_References r ON r.entity = 'customers' AND r.entity_key = s.customer_ref;
  SET v_staged = v_staged + ROW_COUNT();
  DELETE s FROM Staging_Reviews s JOIN Erased_References r ON r.entity = 'customers' AND r.entity_key = s.customer_ref;
  SET v_staged = v_staged + ROW_COUNT();
  DELETE s FROM Staging_Quality s JOIN Erased_References r USING (entity, entity_key);
  SET v_staged = v_staged + ROW_COUNT();
  -- That something was corrected stays, not what. A value may stand in the log of somebody else's row, too.
  UPDATE data_quality_logs q JOIN Erased_References r USING (entity, entity_key)
     SET q.entity_key = 'erased', q.value_before = NULL, q.value_after = NULL;
  SET v_logs = ROW_COUNT();
  UPDATE data_quality_logs q
    JOIN Erased_References r ON r.entity = 'customers' AND q.value_before = r.entity_key
     SET q.value_before = NULL, q.value_after = NULL
   WHERE q.quality_rule IN ('reference_unknown', 'reference_dropped');
  SET v_logs = v_logs + ROW_COUNT();
  UPDATE data_quality_logs SET value_before = NULL, value_after = NULL
   WHERE value_before IN (v_email, v_phone) OR value_after IN (v_email, v_phone);
  SET v_logs = v_logs + ROW_COUNT();
  DELETE FROM Feed_Aliases WHERE entity = 'customers' AND target_id = p_customer_id;
  SET v_aliases = ROW_COUNT();
  DROP TEMPORARY TABLE Erased_References;

  UPDATE Customers
     SET external_id = NULL, first_name = '', last_name = '', email = NULL, phone_number = NULL, date_of_birth = NULL,
         locale = NULL, registration_date = DATE_FORMAT(registration_date, '%Y-%m-01'), customer_status = 'inactive',
         erased_at = UTC_TIMESTAMP(3)
   WHERE customer_id = p_customer_id;
  SET v_profiles = ROW_COUNT();

  SELECT 'Customers' AS table_name, 'made nameless' AS what, v_profiles AS row_count
  UNION ALL SELECT 'Customer_Addresses', 'deleted', v_addresses
  UNION ALL SELECT 'Orders', 'made nameless, totals kept', v_orders
  UNION ALL SELECT 'TR_Orders_Archive', 'made nameless, totals kept', v_archived
  UNION ALL SELECT 'Order_Events', 'deleted', v_events
  UNION ALL SELECT 'Order_Requests', 'deleted', v_requests
  UNION ALL SELECT 'Reviews', 'deleted', v_reviews
  UNION ALL SELECT 'Carts', 'deleted', v_carts
  UNION ALL SELECT 'Staging', 'deleted', v_staged
  UNION ALL SELECT 'data_quality_logs', 'values and keys taken out', v_logs
  UNION ALL SELECT 'Feed_Aliases', 'deleted', v_aliases
  UNION ALL SELECT 'accounts and tokens', 'deleted', v_accounts;
END//

DELIMITER ;
