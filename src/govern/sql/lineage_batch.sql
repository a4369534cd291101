-- What the sync's audit says of the minute in which a document was written. Parameters: collection, mapping version,
-- term, time, time. Index: ix_audit_time.
SELECT source, logged_at, COALESCE(first_queued_at, ''), COALESCE(last_queued_at, '')
  FROM sync_audit_log
 WHERE collection = ? AND mapping_version = ? AND term = ? AND outcome = 'applied'
   AND logged_at >= ? AND logged_at < ? + INTERVAL 1 HOUR
 ORDER BY logged_at, id LIMIT 1
