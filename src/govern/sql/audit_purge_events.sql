-- Purged events, some at once. Parameters: last event that goes, how many.
DELETE FROM Audit_Events WHERE audit_id <= ? ORDER BY audit_id LIMIT ?
