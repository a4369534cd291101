-- Takes or renews a lease that is free, expired or ours. One row changed: it is ours now.
-- Parameters: holder, microseconds, holder. Index: primary key.
UPDATE sync_lease
   SET holder = ?, term = term + 1, expires_at = SYSDATE(6) + INTERVAL ? MICROSECOND
 WHERE name = 'sync' AND (expires_at < SYSDATE(6) OR holder = ?)
