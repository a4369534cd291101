-- Orders that are over go to an archive, by year, and stay in all figures: lifetime value, history,
-- documents, reports. Live Orders stays one table, so that its foreign keys hold. Lines are settled
-- before they go (sql/065): what was sold stays sold.

CREATE TABLE TR_Orders_Archive (
  order_id         BIGINT UNSIGNED NOT NULL,
  external_id      VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  customer_id      BIGINT UNSIGNED NOT NULL,
  address_id       BIGINT UNSIGNED NULL,
  order_date       DATETIME NOT NULL COMMENT 'UTC',
  order_status     ENUM('pending','paid','shipped','delivered','cancelled','returned') NOT NULL,
  total_amount     DECIMAL(14,2) NOT NULL,
  currency         CHAR(3) NOT NULL,
  sales_channel    VARCHAR(32) NOT NULL,
  payment_status   ENUM('open','paid','part_refunded','refunded','void') NOT NULL,
  refunded_amount  DECIMAL(14,2) NOT NULL,
  ship_street      VARCHAR(200) NULL,
  ship_city        VARCHAR(120) NULL,
  ship_state       VARCHAR(80) NULL,
  ship_zip         VARCHAR(20) NULL,
  ship_country     CHAR(2) NULL,
  archived_at      DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (order_id, order_date),
  KEY ix_archive_external (external_id) COMMENT 'load: an order of a feed that is archived',
  KEY ix_archive_customer (customer_id, order_date) COMMENT 'a customer''s orders; sync: documents of a customer'
) ENGINE=InnoDB COMMENT='Orders that are over; columns as in Orders, a partition a year'
PARTITION BY RANGE COLUMNS (order_date) (
  PARTITION p2015 VALUES LESS THAN ('2016-01-01'),
  PARTITION p2016 VALUES LESS THAN ('2017-01-01'),
  PARTITION p2017 VALUES LESS THAN ('2018-01-01'),
  PARTITION p2018 VALUES LESS THAN ('2019-01-01'),
  PARTITION p2019 VALUES LESS THAN ('2020-01-01'),
  PARTITION p2020 VALUES LESS THAN ('2021-01-01'),
  PARTITION p2021 VALUES LESS THAN ('2022-01-01'),
  PARTITION p2022 VALUES LESS THAN ('2023-01-01'),
  PARTITION p2023 VALUES LESS THAN ('2024-01-01'),
  PARTITION p2024 VALUES LESS THAN ('2025-01-01'),
  PARTITION p2025 VALUES LESS THAN ('2026-01-01'),
  PARTITION p2026 VALUES LESS THAN ('2027-01-01'),
  PARTITION p2027 VALUES LESS THAN ('2028-01-01'),
  PARTITION p_later VALUES LESS THAN (MAXVALUE)
);

CREATE TABLE TR_Order_Items_Archive (
  order_item_id      BIGINT UNSIGNED NOT NULL,
  order_id           BIGINT UNSIGNED NOT NULL,
  product_id         BIGINT UNSIGNED NOT NULL,
  quantity           INT UNSIGNED NOT NULL,
  price              DECIMAL(12,2) NOT NULL,
  returned_quantity  INT UNSIGNED NOT NULL,
  service_date       DATE NULL,
  order_date         DATETIME NOT NULL COMMENT 'of the order; repeats it so that both are in the same year',
  PRIMARY KEY (order_item_id, order_date),
  KEY ix_item_archive_order (order_id, order_date, product_id)
    COMMENT 'the lines of an order; its date tells the partition',
  KEY ix_item_archive_product (product_id, order_id) COMMENT 'orders that held a product; sync: renamed products'
) ENGINE=InnoDB COMMENT='Lines of archived orders; columns as in Order_Items'
PARTITION BY RANGE COLUMNS (order_date) (
  PARTITION p2015 VALUES LESS THAN ('2016-01-01'),
  PARTITION p2016 VALUES LESS THAN ('2017-01-01'),
  PARTITION p2017 VALUES LESS THAN ('2018-01-01'),
  PARTITION p2018 VALUES LESS THAN ('2019-01-01'),
  PARTITION p2019 VALUES LESS THAN ('2020-01-01'),
  PARTITION p2020 VALUES LESS THAN ('2021-01-01'),
  PARTITION p2021 VALUES LESS THAN ('2022-01-01'),
  PARTITION p2022 VALUES LESS THAN ('2023-01-01'),
  PARTITION p2023 VALUES LESS THAN ('2024-01-01'),
  PARTITION p2024 VALUES LESS THAN ('2025-01-01'),
  PARTITION p2025 VALUES LESS THAN ('2026-01-01'),
  PARTITION p2026 VALUES LESS THAN ('2027-01-01'),
  PARTITION p2027 VALUES LESS THAN ('2028-01-01'),
  PARTITION p_later VALUES LESS THAN (MAXVALUE)
);

DELIMITER //

-- Within a transaction: moves some of the oldest that are over.
CREATE PROCEDURE sp_TryArchive(p_before VARCHAR(32), p_most BIGINT UNSIGNED, OUT ret_moved BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_status VARCHAR(20);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET @archived_order = NULL; -- else later changes of its lines would not reach its total
    RESIGNAL;
  END;

  SET ret_moved = 0;
  FOR o IN (SELECT order_id FROM Orders
             WHERE order_date < p_before AND order_status IN ('delivered', 'cancelled', 'returned')
             ORDER BY order_date, order_id LIMIT p_most) DO
    SELECT MAX(order_status) INTO v_status FROM Orders WHERE order_id = o.order_id FOR UPDATE;
    IF v_status IN ('delivered', 'cancelled', 'returned') THEN
      UPDATE Order_Items SET stock_taken = 0 WHERE order_id = o.order_id AND stock_taken > 0 ORDER BY product_id;
      INSERT INTO TR_Orders_Archive (order_id, external_id, customer_id, address_id, order_date, order_status,
                                     total_amount, currency, sales_channel, payment_status, refunded_amount,
                                     ship_street, ship_city, ship_state, ship_zip, ship_country)
      SELECT order_id, external_id, customer_id, address_id, order_date, order_status, total_amount, currency,
             sales_channel, payment_status, refunded_amount, ship_street, ship_city, ship_state, ship_zip,
             ship_country
        FROM Orders WHERE order_id = o.order_id;
      INSERT INTO TR_Order_Items_Archive (order_item_id, order_id, product_id, quantity, price, returned_quantity,
                                          service_date, order_date)
      SELECT i.order_item_id, i.order_id, i.product_id, i.quantity, i.price, i.returned_quantity, i.service_date,
             a.order_date
        FROM TR_Orders_Archive a JOIN Order_Items i ON i.order_id = a.order_id
       WHERE a.order_id = o.order_id;
      SET @archived_order = o.order_id;
      DELETE FROM Order_Items WHERE order_id = o.order_id ORDER BY product_id;
      SET @archived_order = NULL;
      DELETE FROM Orders WHERE order_id = o.order_id;
      SET ret_moved = ret_moved + 1;
    END IF;
  END FOR;
END//

-- Orders from before that day that are delivered, cancelled or returned, 200 in a transaction. Answers
-- how many.
CREATE PROCEDURE sp_archive_old_orders(p_before DATE)
MODIFIES SQL DATA
BEGIN
  DECLARE v_moved BIGINT UNSIGNED DEFAULT 1;
  DECLARE v_all BIGINT UNSIGNED DEFAULT 0;

  IF NOT COALESCE(p_before <= UTC_DATE(), 0) THEN
    SIGNAL SQLSTATE '45007' SET MESSAGE_TEXT = 'orders are archived by a day that is past, such as 2024-01-01';
  END IF;
  WHILE v_moved > 0 DO
    CALL sp_InTransaction('archive', 200, NULL, NULL, NULL, p_before, NULL, NULL, v_moved);
    SET v_all = v_all + v_moved;
  END WHILE;
  SELECT v_all AS archived;
END//

-- The partition of next year, unless it is there. What is later stands in p_later until then.
CREATE PROCEDURE sp_AddArchiveYear(p_table VARCHAR(64), p_year INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_found INT;

  SELECT COUNT(*) INTO v_found FROM information_schema.PARTITIONS
   WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = p_table AND PARTITION_NAME = CONCAT('p', p_year);
  IF v_found = 0 THEN
    EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', p_table, ' REORGANIZE PARTITION p_later INTO (PARTITION p', p_year,
                             ' VALUES LESS THAN (''', p_year + 1, '-01-01''), PARTITION p_later VALUES LESS THAN',
                             ' (MAXVALUE))');
  END IF;
END//

CREATE EVENT ev_archive_year ON SCHEDULE EVERY 1 DAY DO
BEGIN
  CALL sp_AddArchiveYear('TR_Orders_Archive', YEAR(UTC_DATE()) + 1);
  CALL sp_AddArchiveYear('TR_Order_Items_Archive', YEAR(UTC_DATE()) + 1);
END//

DELIMITER ;
