-- The last event that a purge takes: the newest stays, and so does all from the first that is young enough,
-- should a clock have gone backwards; dated ahead it says nothing. Parameters: time, twice. Indexes: the primary key, ix_audit_time.
SELECT e.audit_id, e.event_hash FROM Audit_Events e JOIN Audit_Head h ON h.head_id = 1
 WHERE e.happened_at < ? AND e.audit_id < h.audit_id
   AND e.audit_id < COALESCE((SELECT MIN(y.audit_id) FROM Audit_Events y WHERE y.happened_at >= ?
                                AND y.happened_at <= UTC_TIMESTAMP() + INTERVAL 1 MINUTE),
                             18446744073709551615)
 ORDER BY e.audit_id DESC LIMIT 1
