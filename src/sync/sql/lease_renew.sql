-- The holder says that it lives. No row changed: somebody else holds it. Parameters: microseconds,
-- holder, term. Index: primary key.
UPDATE sync_lease
   SET expires_at = SYSDATE(6) + INTERVAL ? MICROSECOND
 WHERE name = 'sync' AND holder = ? AND term = ?
