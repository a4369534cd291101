-- Whether a reader of the hand-off is registered. Parameter: consumer. Index: primary key.
SELECT COUNT(*) FROM sync_consumer WHERE consumer = ?
