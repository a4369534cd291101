-- A consumer is done with a document, unless it changed meanwhile. Parameters: consumer, collection,
-- key, version. Index: primary key.
DELETE FROM sync_handoff WHERE consumer = ? AND collection = ? AND `key` = ? AND version = ?
