-- A page of what is personal of events. Parameters: the number before, how many. Primary key.
SELECT audit_id, details FROM Audit_Details WHERE audit_id > ? ORDER BY audit_id LIMIT ?
