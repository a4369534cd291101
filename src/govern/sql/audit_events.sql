-- Events behind one, in their order, with what is left of their details. Parameters: its number, how many. Primary key.
SELECT e.audit_id, e.happened_at, e.actor, e.role_name, e.action_name, e.object_name, e.purpose, e.row_count,
       e.outcome, e.details_hash, e.previous_hash, e.event_hash, d.salt, d.subject, d.details
  FROM Audit_Events e LEFT JOIN Audit_Details d ON d.audit_id = e.audit_id
 WHERE e.audit_id > ? ORDER BY e.audit_id LIMIT ?
