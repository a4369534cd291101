-- A registered reader of the hand-off says that it is there; one that was dropped meanwhile stays dropped.
-- Parameters: kind, consumer. Index: primary key.
UPDATE sync_consumer SET kind = ?, seen_at = CURRENT_TIMESTAMP WHERE consumer = ?
