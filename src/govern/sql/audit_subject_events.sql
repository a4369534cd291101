-- Some events about a subject, to be erased. Parameters: subject, how many. Index: ix_audit_subject.
SELECT audit_id FROM Audit_Details WHERE subject = ? AND subject <> '' ORDER BY audit_id LIMIT ? FOR UPDATE
