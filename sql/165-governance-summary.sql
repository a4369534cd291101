-- The state of governance on one page: counts, and since when. No value of anybody stands in it.

CREATE VIEW v_governance_summary_report AS
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
 WHERE revoked_at IS NULL AND COALESCE(expires_at > UTC_TIMESTAMP(3), TRUE)
UNION ALL
SELECT 'access', 'refused by MariaDB in 7 days', COALESCE(SUM(times), 0), MAX(happened_at) FROM rbac_audit
 WHERE happened_at >= UTC_TIMESTAMP() - INTERVAL 7 DAY AND outcome = 'denied'
UNION ALL
SELECT 'audit', 'events', COUNT(*), MAX(happened_at) FROM Audit_Events
UNION ALL
SELECT 'audit', 'looks at a person in 30 days', COUNT(*), MAX(happened_at) FROM Audit_Events
 WHERE happened_at >= UTC_TIMESTAMP() - INTERVAL 30 DAY AND action_name IN ('privacy.show', 'privacy.export')
UNION ALL
SELECT 'privacy', 'people erased', COUNT(*), MAX(finished_at) FROM Erasures WHERE erasure_state = 'done'
UNION ALL
SELECT 'privacy', 'erasures that are not complete', COUNT(*), MIN(begun_at) FROM Erasures WHERE erasure_state <> 'done'
UNION ALL
SELECT 'privacy', 'people whose data is held', COUNT(*), MAX(held_at) FROM Legal_Holds
 WHERE COALESCE(held_until >= UTC_DATE(), TRUE)
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
 WHERE event_time >= UTC_TIMESTAMP(6) - INTERVAL 7 DAY AND event_type IN ('COMPLETE', 'FAIL', 'ABORT')
UNION ALL
SELECT 'lineage', 'of them failed or given up', COUNT(*), MAX(event_time) FROM data_lineage_tracker
 WHERE event_time >= UTC_TIMESTAMP(6) - INTERVAL 7 DAY AND event_type IN ('FAIL', 'ABORT');
