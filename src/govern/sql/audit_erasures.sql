-- Lists of the events whose details were erased, and by which event of the chain: those that nobody hashes, at or
-- below the last checkpoint, excuse nothing, nor do those before what is verified. Parameter: the event before that.
-- Index: ix_audit_action.
SELECT e.audit_id, d.details FROM Audit_Events e JOIN Audit_Details d ON d.audit_id = e.audit_id
 WHERE e.action_name = 'audit.erase' AND e.audit_id > ?
   AND e.audit_id > (SELECT COALESCE(MAX(audit_id), 0) FROM Audit_Checkpoints)
