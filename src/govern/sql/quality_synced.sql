-- When the newest change that the sync has carried was queued. Parameter: collection. Reads the sync's log, a row
-- a minute, kept for its retention.
SELECT COALESCE(DATE_FORMAT(MAX(last_queued_at), '%Y-%m-%d %H:%i:%S'), '')
  FROM sync_audit_log WHERE collection = ? AND outcome = 'applied' AND source = 'queue'
