-- The holder leaves: the next one need not wait for the expiry. Parameters: holder, term. Index:
-- primary key.
UPDATE sync_lease SET holder = '', expires_at = '2000-01-01 00:00:00'
 WHERE name = 'sync' AND holder = ? AND term = ?
