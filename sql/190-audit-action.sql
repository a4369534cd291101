-- Which events say what was erased is asked for each piece of the chain that is verified.
ALTER TABLE Audit_Events ADD KEY IF NOT EXISTS ix_audit_action (action_name, audit_id)
  COMMENT 'audit verify: events that say what was erased';
