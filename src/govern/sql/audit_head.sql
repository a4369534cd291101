-- Where the chain ends, and the time: whoever appends waits here for others.
SELECT audit_id, event_hash, UTC_TIMESTAMP(6) FROM Audit_Head WHERE head_id = 1 FOR UPDATE
