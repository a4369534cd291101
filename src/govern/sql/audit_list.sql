-- The newest events. Parameter: how many. Index: the primary key.
SELECT e.audit_id, e.happened_at, e.actor, e.role_name, e.action_name, e.object_name,
       COALESCE(JSON_VALUE(d.details, '$.purpose'), e.purpose), e.row_count, e.outcome, COALESCE(d.subject, '')
  FROM Audit_Events e LEFT JOIN Audit_Details d ON d.audit_id = e.audit_id
 ORDER BY e.audit_id DESC LIMIT ?
