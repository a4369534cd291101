-- The last event that a purge takes: the newest stays. Parameter: time. Index: the primary key.
SELECT e.audit_id, e.event_hash FROM Audit_Events e JOIN Audit_Head h ON h.head_id = 1
 WHERE e.happened_at < ? AND e.audit_id < h.audit_id ORDER BY e.audit_id DESC LIMIT 1
