-- All workers are through: the collection is live. Parameters: collection, generation. Index:
-- primary key.
UPDATE sync_collection SET state = 'live', migrated_at = CURRENT_TIMESTAMP, retired_fields = '[]'
 WHERE collection = ? AND generation = ? AND state = 'migrating'
