-- The lease as it is. Index: primary key.
SELECT holder, term, expires_at > SYSDATE(6) FROM sync_lease WHERE name = 'sync'
