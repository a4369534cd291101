-- Details of purged events, some at once. Parameters: last event that goes, how many.
DELETE FROM Audit_Details WHERE audit_id <= ? ORDER BY audit_id LIMIT ?
