-- What a purge leaves. Parameters: last event that goes, its hash, signature.
INSERT INTO Audit_Checkpoints (audit_id, event_hash, made_at, signature) VALUES (?, ?, UTC_TIMESTAMP(6), ?)
