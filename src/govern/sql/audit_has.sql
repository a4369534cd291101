-- Whether an event is in the chain. Parameters: its number, its hash. Primary key.
SELECT COUNT(*) FROM Audit_Events WHERE audit_id = ? AND event_hash = ?
