-- The chain ends with another event. Parameters: number, hash.
UPDATE Audit_Head SET audit_id = ?, event_hash = ? WHERE head_id = 1
