-- What is personal of one event. Parameter: number. Primary key.
DELETE FROM Audit_Details WHERE audit_id = ?
