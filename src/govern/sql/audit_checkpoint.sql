-- The newest checkpoint of a purge.
SELECT audit_id, event_hash, signature FROM Audit_Checkpoints ORDER BY audit_id DESC LIMIT 1
