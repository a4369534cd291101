-- Parameter: id.
DELETE FROM sync_key_change WHERE id = ?
