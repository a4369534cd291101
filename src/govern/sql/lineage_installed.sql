-- What the sync knows of a collection. Parameter: collection. Index: the primary key.
SELECT mapping_hash, mapping_version, state, installed_at, COALESCE(migrated_at, '')
  FROM sync_collection WHERE collection = ?
