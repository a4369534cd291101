-- What reports tell does not depend on the session that asks: neither on its clock (SET timestamp), nor on its
-- database, nor on how many digits it divides to (div_precision_increment).

DELIMITER //

-- The server's time in UTC. UTC_TIMESTAMP() is the session's; SYSDATE() is not, but for its time zone.
CREATE OR REPLACE FUNCTION f_Server_Time()
RETURNS DATETIME(6) DETERMINISTIC NO SQL
BEGIN
  DECLARE v_zone VARCHAR(64) DEFAULT @@time_zone;
  DECLARE v_now DATETIME(6);

  SET time_zone = '+00:00';
  SET v_now = SYSDATE(6);
  SET time_zone = v_zone;
  RETURN v_now;
END//

-- The shop's database: within a routine it is that of the routine.
CREATE OR REPLACE FUNCTION f_Shop_Database()
RETURNS VARCHAR(64) DETERMINISTIC NO SQL
RETURN DATABASE()//

DELIMITER ;

CREATE OR REPLACE VIEW v_QuarterlySales AS
SELECT YEAR(order_date) AS sales_year, QUARTER(order_date) AS sales_quarter, currency, COUNT(*) AS orders,
       SUM(amount) AS revenue, CAST(AVG(CAST(amount AS DECIMAL(30,12))) AS DECIMAL(16,2)) AS average_order
  FROM v_Sales GROUP BY YEAR(order_date), QUARTER(order_date), currency;

CREATE OR REPLACE VIEW V_Customer_Value_Summary AS
SELECT customer_id, currency, COUNT(*) AS orders, SUM(amount) AS lifetime_value,
       CAST(AVG(CAST(amount AS DECIMAL(30,12))) AS DECIMAL(16,2)) AS average_order, MIN(order_date) AS first_order,
       MAX(order_date) AS last_order
  FROM v_Sales GROUP BY customer_id, currency;

CREATE OR REPLACE VIEW v_Supplier_Products AS
SELECT p.supplier_id, COUNT(*) AS products, COALESCE(SUM(r.rating_count), 0) AS rating_count,
       CAST(CAST(SUM(r.rating_sum) AS DECIMAL(30,12)) / NULLIF(SUM(r.rating_count), 0) AS DECIMAL(5,2))
         AS average_rating
  FROM Products p LEFT JOIN Product_Rating_Summary r ON r.product_id = p.product_id
 GROUP BY p.supplier_id;

CREATE OR REPLACE VIEW v_Schema_Columns AS
SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, ORDINAL_POSITION AS position, COLUMN_TYPE AS column_type,
       IS_NULLABLE AS is_nullable, COLUMN_KEY AS column_key, COLUMN_COMMENT AS column_comment
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = f_Shop_Database();

CREATE OR REPLACE VIEW v_governance_summary_report AS
SELECT 'dictionary' AS area, 'columns' AS measure, COUNT(*) AS amount, MAX(refreshed_at) AS as_of FROM data_dictionary
UNION ALL
SELECT 'dictionary', 'personal columns', COUNT(*), MAX(refreshed_at) FROM data_dictionary
 WHERE pii_class IS NOT NULL AND pii_class <> 'open'
UNION ALL
SELECT 'dictionary', 'columns that nobody classed', COUNT(*), MAX(refreshed_at) FROM data_dictionary
 WHERE pii_class IS NULL
UNION ALL
SELECT 'access', CONCAT(object_kind, 's'), COUNT(*), MAX(made_at) FROM Access_Objects GROUP BY object_kind
UNION ALL
SELECT 'access', 'tokens that open', COUNT(*), MAX(created_at) FROM Access_Tokens
 WHERE revoked_at IS NULL AND COALESCE(expires_at > f_Server_Time(), TRUE)
UNION ALL
SELECT 'access', 'refused by MariaDB in 7 days', COALESCE(SUM(times), 0), MAX(happened_at) FROM rbac_audit
 WHERE happened_at >= f_Server_Time() - INTERVAL 7 DAY AND outcome = 'denied'
UNION ALL
SELECT 'audit', 'events', COUNT(*), MAX(happened_at) FROM Audit_Events
UNION ALL
SELECT 'audit', 'looks at a person in 30 days', COUNT(*), MAX(happened_at) FROM Audit_Events
 WHERE happened_at >= f_Server_Time() - INTERVAL 30 DAY AND action_name IN ('privacy.show', 'privacy.export')
UNION ALL
SELECT 'privacy', 'people erased', COUNT(*), MAX(finished_at) FROM Erasures WHERE erasure_state = 'done'
UNION ALL
SELECT 'privacy', 'erasures that are not complete', COUNT(*), MIN(begun_at) FROM Erasures WHERE erasure_state <> 'done'
UNION ALL
SELECT 'privacy', 'people whose data is held', COUNT(*), MAX(held_at) FROM Legal_Holds
 WHERE COALESCE(held_until >= DATE(f_Server_Time()), TRUE)
UNION ALL
SELECT 'quality', 'runs', COUNT(*), MAX(started_at) FROM Quality_Runs
UNION ALL
SELECT 'quality', 'checks of the last run that failed', COALESCE(SUM(n_failed + n_errors), 0), MAX(started_at)
  FROM Quality_Runs WHERE run_id = (SELECT MAX(run_id) FROM Quality_Runs)
UNION ALL
SELECT 'quality', 'checks of the last run that warn', COALESCE(SUM(n_warned), 0), MAX(started_at)
  FROM Quality_Runs WHERE run_id = (SELECT MAX(run_id) FROM Quality_Runs)
UNION ALL
SELECT 'quality', 'rows and documents in quarantine', COUNT(*), MIN(first_seen) FROM Quality_Quarantine
 WHERE resolved_at IS NULL
UNION ALL
SELECT 'lineage', 'runs that ended in 7 days', COUNT(*), MAX(event_time) FROM data_lineage_tracker
 WHERE event_time >= f_Server_Time() - INTERVAL 7 DAY AND event_type IN ('COMPLETE', 'FAIL', 'ABORT')
UNION ALL
SELECT 'lineage', 'of them failed or given up', COUNT(*), MAX(event_time) FROM data_lineage_tracker
 WHERE event_time >= f_Server_Time() - INTERVAL 7 DAY AND event_type IN ('FAIL', 'ABORT');
