-- What a purge leaves; one that another purge has left at the same event is the same. Parameters: last event that goes,
-- its hash, signature.
INSERT INTO Audit_Checkpoints (audit_id, event_hash, made_at, signature) VALUES (?, ?, UTC_TIMESTAMP(6), ?)
ON DUPLICATE KEY UPDATE audit_id = audit_id
