-- A role, an account or a view that was there before is ours from now on. Parameters: kind, name.
INSERT IGNORE INTO Access_Objects (object_kind, object_name) VALUES (?, ?)
