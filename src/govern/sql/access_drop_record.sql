-- A role, an account or a view is gone. Parameters: kind, name.
DELETE FROM Access_Objects WHERE object_kind = ? AND object_name = ?
