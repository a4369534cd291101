-- Before a role, an account or a view is made: it is ours. Parameters: kind, name.
INSERT INTO Access_Objects (object_kind, object_name) VALUES (?, ?)
ON DUPLICATE KEY UPDATE planned_hash = NULL, found_hash = NULL
