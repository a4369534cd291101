-- The last worker that is done makes the collection live. Parameters: collection, generation,
-- collection, generation, owners, owners.
UPDATE sync_collection SET state = 'live', migrated_at = CURRENT_TIMESTAMP, retired_fields = '[]'
 WHERE collection = ? AND generation = ? AND state = 'migrating'
   AND (SELECT COUNT(*) FROM sync_migration
         WHERE collection = ? AND generation = ? AND owners = ? AND phase = 'done') = ?
