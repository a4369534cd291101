-- Whether a migration is on its way. Parameter: collection. Index: primary key.
SELECT COUNT(*) FROM sync_collection WHERE collection = ? AND state = 'migrating'
