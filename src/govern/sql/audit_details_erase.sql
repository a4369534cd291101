-- Details of the events about a subject up to one. Parameters: subject, number. Index: ix_audit_subject.
DELETE FROM Audit_Details WHERE subject = ? AND subject <> '' AND audit_id <= ?
