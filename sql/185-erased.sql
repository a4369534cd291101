-- Who was erased stays erased: triggers keep new data off them, whatever writes; several holds a person, each
-- with a number; whose row the log of loading is about; which key an erasure's fingerprints were made with.
--
-- Fingerprints in Erased_Keys are made of what the collation compares (the weights of utf8mb4_unicode_ci), so that
-- a key in other letters is the same key. Those from before are of the exact bytes, and loading matches them, too.

ALTER TABLE Erasures
  ADD COLUMN IF NOT EXISTS key_mark CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL
    COMMENT 'fingerprint of the empty text: by which key it was erased; NULL: from before this column';

ALTER TABLE Legal_Holds
  ADD COLUMN IF NOT EXISTS hold_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST,
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (hold_id),
  ADD KEY IF NOT EXISTS ix_hold_subject (subject) COMMENT 'whether somebody''s data is held';

ALTER TABLE Staging_Quality
  ADD COLUMN IF NOT EXISTS owner_key VARCHAR(64) NULL COMMENT 'the feed''s key of the customer whose row it is',
  ADD COLUMN IF NOT EXISTS owner_email VARCHAR(254) NULL COMMENT 'of a row of customers',
  ADD COLUMN IF NOT EXISTS order_key VARCHAR(64) NULL COMMENT 'the feed''s key of the order that it belongs to';

ALTER TABLE data_quality_logs
  ADD COLUMN IF NOT EXISTS owner_key VARCHAR(64) NULL
    COMMENT 'the feed''s key of the customer whose row it was; NULL: nobody''s, or erased',
  ADD KEY IF NOT EXISTS ix_quality_owner (owner_key) COMMENT 'erasure, also of rows that are gone';

-- As far as the rows are there. Checks of quality have no load.
UPDATE data_quality_logs SET owner_key = entity_key
 WHERE load_id IS NOT NULL AND owner_key IS NULL AND entity = 'customers' AND entity_key <> 'erased'
   AND CHAR_LENGTH(entity_key) <= 64;
UPDATE data_quality_logs q
  JOIN Customer_Addresses a ON a.external_id = q.entity_key JOIN Customers c ON c.customer_id = a.customer_id
   SET q.owner_key = c.external_id
 WHERE q.load_id IS NOT NULL AND q.owner_key IS NULL AND q.entity = 'addresses';
UPDATE data_quality_logs q
  JOIN Orders o ON o.external_id = q.entity_key JOIN Customers c ON c.customer_id = o.customer_id
   SET q.owner_key = c.external_id
 WHERE q.load_id IS NOT NULL AND q.owner_key IS NULL AND q.entity = 'orders';
UPDATE data_quality_logs q
  JOIN Reviews r ON r.external_id = q.entity_key JOIN Customers c ON c.customer_id = r.customer_id
   SET q.owner_key = c.external_id
 WHERE q.load_id IS NOT NULL AND q.owner_key IS NULL AND q.entity = 'reviews';

DELIMITER //

-- As before (155-erase.sql), and: what is decided by is read under locks, so that an order or a hold that came
-- while the transaction waited counts; the keys of orders go; the log of loading is followed by whose row it
-- was, whether the row is there or not; who is erased already is only looked at: all counts are 0 when nothing
-- of theirs came meanwhile.
CREATE OR REPLACE PROCEDURE sp_EraseCustomer(p_customer_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_external_id VARCHAR(64);
  DECLARE v_email VARCHAR(254);
  DECLARE v_phone VARCHAR(32);
  DECLARE v_found, v_open, v_held BIGINT UNSIGNED;
  DECLARE v_erased_at DATETIME(3);
  DECLARE v_profiles, v_addresses, v_orders, v_archived, v_reviews, v_carts, v_requests, v_events, v_staged, v_logs,
          v_aliases, v_accounts, v_holds INT DEFAULT 0;
  DECLARE v_message VARCHAR(500);

  SELECT MAX(customer_id), MAX(external_id), MAX(email), MAX(phone_number), MAX(erased_at)
    INTO v_found, v_external_id, v_email, v_phone, v_erased_at
    FROM Customers WHERE customer_id = p_customer_id FOR UPDATE;
  IF v_found IS NULL THEN
    SET v_message = CONCAT('customer ', COALESCE(p_customer_id, 'NULL'), ' does not exist');
    SIGNAL SQLSTATE '45024' SET MESSAGE_TEXT = v_message;
  END IF;
  SELECT COUNT(*) INTO v_held FROM Legal_Holds
   WHERE subject = CAST(p_customer_id AS CHAR) AND COALESCE(held_until >= UTC_DATE(), TRUE) LOCK IN SHARE MODE;
  IF v_held THEN
    SIGNAL SQLSTATE '45021' SET MESSAGE_TEXT = 'the customer''s data is held';
  END IF;
  -- What was ordered here and is not sent yet needs the address. Orders of feeds are history.
  SELECT MIN(order_id) INTO v_open FROM Orders
   WHERE customer_id = p_customer_id AND external_id IS NULL AND order_status IN ('pending', 'paid')
    LOCK IN SHARE MODE;
  IF v_open IS NOT NULL THEN
    SET v_message = CONCAT('order ', v_open, ' is not sent yet: send or cancel it first');
    SIGNAL SQLSTATE '45022' SET MESSAGE_TEXT = v_message;
  END IF;
  -- Once they are erased a load refuses their rows itself.
  IF v_erased_at IS NULL AND IS_USED_LOCK(CONCAT('aethermart_load.', DATABASE())) IS NOT NULL THEN
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
  SELECT 'reviews', external_id FROM Reviews WHERE customer_id = p_customer_id AND external_id IS NOT NULL
  UNION ALL
  SELECT 'orders', external_id FROM Orders
   WHERE customer_id = p_customer_id AND external_id IS NOT NULL AND external_id NOT REGEXP '^erased-[0-9A-F]{32}$'
  UNION ALL
  SELECT 'orders', external_id FROM TR_Orders_Archive
   WHERE customer_id = p_customer_id AND external_id IS NOT NULL AND external_id NOT REGEXP '^erased-[0-9A-F]{32}$';

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
  -- The key of the feed leads to the person in any old file. That there was one says that it is history.
  UPDATE Orders SET address_id = NULL, ship_street = NULL, ship_city = NULL, ship_zip = NULL,
         external_id = IF(external_id REGEXP '^erased-[0-9A-F]{32}$', external_id,
                          CONCAT('erased-', HEX(RANDOM_BYTES(16))))
   WHERE customer_id = p_customer_id AND external_id IS NOT NULL;
  SET v_orders = ROW_COUNT();
  UPDATE Orders SET address_id = NULL, ship_street = NULL, ship_city = NULL, ship_zip = NULL
   WHERE customer_id = p_customer_id AND external_id IS NULL;
  SET v_orders = v_orders + ROW_COUNT();
  UPDATE TR_Orders_Archive SET address_id = NULL, ship_street = NULL, ship_city = NULL, ship_zip = NULL,
         external_id = IF(external_id IS NULL OR external_id REGEXP '^erased-[0-9A-F]{32}$', external_id,
                          CONCAT('erased-', HEX(RANDOM_BYTES(16))))
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
     SET q.entity_key = 'erased', q.owner_key = NULL, q.value_before = NULL, q.value_after = NULL;
  SET v_logs = ROW_COUNT();
  -- Of rows that went before, too, and of those that were never let in.
  UPDATE data_quality_logs q JOIN Erased_References r ON r.entity = 'customers' AND q.owner_key = r.entity_key
     SET q.entity_key = 'erased', q.owner_key = NULL, q.value_before = NULL, q.value_after = NULL;
  SET v_logs = v_logs + ROW_COUNT();
  UPDATE data_quality_logs q
    JOIN Erased_References r ON r.entity = 'orders'
     AND LEFT(q.entity_key, CHAR_LENGTH(r.entity_key) + 1) = CONCAT(r.entity_key, '/')
     SET q.entity_key = 'erased', q.value_before = NULL, q.value_after = NULL
   WHERE q.entity = 'order_items';
  SET v_logs = v_logs + ROW_COUNT();
  UPDATE data_quality_logs q
    JOIN Erased_References r ON r.entity = 'customers' AND q.value_before = r.entity_key
     SET q.value_before = NULL, q.value_after = NULL
   WHERE q.quality_rule IN ('reference_unknown', 'reference_dropped');
  SET v_logs = v_logs + ROW_COUNT();
  IF v_email IS NOT NULL OR v_phone IS NOT NULL THEN -- the whole log: not again for who has neither
    UPDATE data_quality_logs SET value_before = NULL, value_after = NULL
     WHERE value_before IN (v_email, v_phone) OR value_after IN (v_email, v_phone);
    SET v_logs = v_logs + ROW_COUNT();
  END IF;
  DELETE FROM Feed_Aliases WHERE entity = 'customers' AND target_id = p_customer_id;
  SET v_aliases = ROW_COUNT();
  DELETE FROM Legal_Holds WHERE subject = CAST(p_customer_id AS CHAR);
  SET v_holds = ROW_COUNT(); -- all are over; a reason may name them
  DROP TEMPORARY TABLE Erased_References;

  UPDATE Customers
     SET external_id = NULL, first_name = '', last_name = '', email = NULL, phone_number = NULL, date_of_birth = NULL,
         locale = NULL, registration_date = DATE_FORMAT(registration_date, '%Y-%m-01'), customer_status = 'inactive',
         erased_at = COALESCE(erased_at, UTC_TIMESTAMP(3))
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
  UNION ALL SELECT 'Legal_Holds', 'deleted', v_holds
  UNION ALL SELECT 'accounts and tokens', 'deleted', v_accounts;
END//

CREATE OR REPLACE PROCEDURE sp_RefuseErased(p_customer_id BIGINT UNSIGNED)
NO SQL
BEGIN
  DECLARE v_message VARCHAR(500);

  SET v_message = CONCAT('customer ', p_customer_id, ' was erased: whoever comes again is a new customer');
  SIGNAL SQLSTATE '45025' SET MESSAGE_TEXT = v_message;
END//

-- The row stands for orders and can be counted; nothing that says who somebody is may come into it. The erasure
-- itself empties it, so it may pass, and so may it again.
CREATE OR REPLACE TRIGGER tr_customer_erased BEFORE UPDATE ON Customers FOR EACH ROW
IF OLD.erased_at IS NOT NULL
   AND (NEW.erased_at IS NULL OR NEW.external_id IS NOT NULL OR NEW.first_name <> '' OR NEW.last_name <> ''
        OR NEW.email IS NOT NULL OR NEW.phone_number IS NOT NULL OR NEW.date_of_birth IS NOT NULL
        OR NEW.locale IS NOT NULL) THEN
  CALL sp_RefuseErased(OLD.customer_id);
END IF//

-- By the lock that the foreign key takes anyway, so that an erasure that runs is waited for. In place, not in a
-- procedure: a call for each row of a load takes three times as long.
CREATE OR REPLACE TRIGGER tr_address_of_erased BEFORE INSERT ON Customer_Addresses FOR EACH ROW
IF (SELECT erased_at FROM Customers WHERE customer_id = NEW.customer_id LOCK IN SHARE MODE) IS NOT NULL THEN
  CALL sp_RefuseErased(NEW.customer_id);
END IF//

CREATE OR REPLACE TRIGGER tr_address_to_erased BEFORE UPDATE ON Customer_Addresses FOR EACH ROW
IF NEW.customer_id <> OLD.customer_id
   AND (SELECT erased_at FROM Customers WHERE customer_id = NEW.customer_id LOCK IN SHARE MODE) IS NOT NULL THEN
  CALL sp_RefuseErased(NEW.customer_id);
END IF//

CREATE OR REPLACE TRIGGER tr_review_of_erased BEFORE INSERT ON Reviews FOR EACH ROW
IF (SELECT erased_at FROM Customers WHERE customer_id = NEW.customer_id LOCK IN SHARE MODE) IS NOT NULL THEN
  CALL sp_RefuseErased(NEW.customer_id);
END IF//

CREATE OR REPLACE TRIGGER tr_review_to_erased BEFORE UPDATE ON Reviews FOR EACH ROW
IF NEW.customer_id <> OLD.customer_id
   AND (SELECT erased_at FROM Customers WHERE customer_id = NEW.customer_id LOCK IN SHARE MODE) IS NOT NULL THEN
  CALL sp_RefuseErased(NEW.customer_id);
END IF//

DELIMITER ;
