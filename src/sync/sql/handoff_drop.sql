-- What waits for a reader that is gone. Parameter: consumer. Index: primary key.
DELETE FROM sync_handoff WHERE consumer = ?
