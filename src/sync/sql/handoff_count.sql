-- How many documents of a collection wait for a consumer. Parameters: consumer, collection. Index:
-- primary key.
SELECT COUNT(*) FROM sync_handoff WHERE consumer = ? AND collection = ?
