-- Where the chain says that it ends. Primary key.
SELECT audit_id, event_hash FROM Audit_Head WHERE head_id = 1
