-- Asks the holder of the lease to migrate. Parameters: total, sweep, collection. Index: primary
-- key.
UPDATE sync_collection
   SET state = 'migrating', generation = generation + 1, migrate_total = ?, migrate_sweep = ?
 WHERE collection = ?
