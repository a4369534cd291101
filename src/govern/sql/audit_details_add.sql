-- What is personal of an event. Parameters: number, subject, details, salt.
INSERT INTO Audit_Details (audit_id, subject, details, salt) VALUES (?, ?, ?, ?)
