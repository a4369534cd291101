-- Inside a transaction: whether this migration is still the one, of this mapping; then nothing can
-- change that before the commit. Parameters: collection, generation, mapping_hash. Index: primary key.
SELECT 1 FROM sync_collection
 WHERE collection = ? AND generation = ? AND mapping_hash = ? AND state = 'migrating' FOR UPDATE
