-- The next collection of which documents wait for a consumer. Parameters: consumer, the collection
-- before it. Index: primary key, one dive; DISTINCT would read all that waits.
SELECT collection FROM sync_handoff
 WHERE consumer = ? AND collection > ?
 ORDER BY collection
 LIMIT 1
