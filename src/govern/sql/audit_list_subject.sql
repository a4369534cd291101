-- The newest events about a subject. Parameters: subject, how many. Index: ix_audit_subject.
SELECT e.audit_id, e.happened_at, e.actor, e.role_name, e.action_name, e.object_name,
       COALESCE(JSON_VALUE(d.details, '$.purpose'), e.purpose), e.row_count, e.outcome, d.subject
  FROM Audit_Details d JOIN Audit_Events e ON e.audit_id = d.audit_id
 WHERE d.subject = ? ORDER BY d.audit_id DESC LIMIT ?
