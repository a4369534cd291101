-- Raises the term above one found in a fence. Parameters: new term, holder, old term. Index:
-- primary key.
UPDATE sync_lease SET term = ? WHERE name = 'sync' AND holder = ? AND term = ?
