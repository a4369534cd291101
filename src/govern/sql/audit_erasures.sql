-- Lists of the events whose details were erased.
SELECT d.details FROM Audit_Events e JOIN Audit_Details d ON d.audit_id = e.audit_id
 WHERE e.action_name = 'audit.erase'
