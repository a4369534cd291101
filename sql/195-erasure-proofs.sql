-- What an erasure proved before stays when it is begun again; lines of orders in the log of loading are found by an
-- index.

ALTER TABLE Erasures
  ADD COLUMN IF NOT EXISTS earlier LONGTEXT NULL
    COMMENT 'certificates of before something came again: a JSON array of texts, the oldest first';

-- Keys of lines are ORDER/PRODUCT, and either may hold a slash, too: by this they are found, not told apart.
ALTER TABLE data_quality_logs
  ADD COLUMN IF NOT EXISTS order_begin VARCHAR(140)
    AS (IF(entity = 'order_items', SUBSTRING_INDEX(entity_key, '/', 1), NULL)) VIRTUAL
    COMMENT 'of lines of orders, what stands before the first slash of the key';
ALTER TABLE data_quality_logs
  ADD KEY IF NOT EXISTS ix_quality_order (order_begin) COMMENT 'erasure: lines of somebody''s orders';

DELIMITER //

-- As before (185-erased.sql), and: the log of loading is followed by its indexes, the lines of orders by
-- ix_quality_order, so that rows of others are not locked; only of whom the program has a record
-- does it take anything, for it alone knows what copies are to be searched for and who must not come back.
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
  IF NOT EXISTS (SELECT 1 FROM Erasures WHERE subject = CAST(p_customer_id AS CHAR)) THEN
    SIGNAL SQLSTATE '45026'
      SET MESSAGE_TEXT = 'call `aethermart privacy erase`: it looks for copies, and keeps them away';
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
  UPDATE Erased_References r
    STRAIGHT_JOIN data_quality_logs q ON q.entity = r.entity AND q.entity_key = r.entity_key
     SET q.entity_key = 'erased', q.owner_key = NULL, q.value_before = NULL, q.value_after = NULL;
  SET v_logs = ROW_COUNT();
  -- Of rows that went before, too, and of those that were never let in.
  UPDATE Erased_References r STRAIGHT_JOIN data_quality_logs q ON r.entity = 'customers' AND q.owner_key = r.entity_key
     SET q.entity_key = 'erased', q.owner_key = NULL, q.value_before = NULL, q.value_after = NULL;
  SET v_logs = v_logs + ROW_COUNT();
  UPDATE Erased_References r
    STRAIGHT_JOIN data_quality_logs q ON r.entity = 'orders' AND q.order_begin = SUBSTRING_INDEX(r.entity_key, '/', 1)
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

DELIMITER ;
