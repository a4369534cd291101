-- A document has moved to its new key. Parameter: id. Index: primary key.
DELETE FROM sync_key_change WHERE id = ?
