-- The lease as it is.
SELECT holder, term, expires_at > SYSDATE(6) FROM sync_lease WHERE name = 'sync'
