-- Documents that wait for a consumer, behind a collection, with the version by which they are
-- acknowledged. Parameters: consumer, the collection before, limit. Index: primary key.
SELECT `key`, version, collection FROM sync_handoff
 WHERE consumer = ? AND collection > ?
 ORDER BY collection, `key`
 LIMIT ?
