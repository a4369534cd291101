-- An event. Parameters: number, time, actor, role, action, object, purpose, rows, outcome, hash of
-- the details, of the event before, of this one.
INSERT INTO Audit_Events (audit_id, happened_at, actor, role_name, action_name, object_name, purpose, row_count,
                          outcome, details_hash, previous_hash, event_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
