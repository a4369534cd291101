-- Rows above the retention, a bounded number at a time. Parameter: days. Index: ix_audit_time.
DELETE FROM sync_audit_log WHERE logged_at < CURRENT_TIMESTAMP - INTERVAL ? DAY ORDER BY logged_at LIMIT 5000
