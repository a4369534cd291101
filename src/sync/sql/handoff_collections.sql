-- Collections of which documents wait for a consumer. Parameter: consumer. Index: primary key, one
-- dive a collection.
SELECT DISTINCT collection FROM sync_handoff WHERE consumer = ?
