-- Documents that wait for a consumer, with the version by which they are acknowledged. Parameters:
-- consumer, collection, lowest key, limit. Index: primary key.
SELECT `key`, version FROM sync_handoff
 WHERE consumer = ? AND collection = ? AND `key` >= ?
 ORDER BY `key`
 LIMIT ?
