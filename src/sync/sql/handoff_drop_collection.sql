-- Documents that a consumer does not want. Parameters: consumer, collection. Index: primary key.
DELETE FROM sync_handoff WHERE consumer = ? AND collection = ?
