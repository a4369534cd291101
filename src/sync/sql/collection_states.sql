-- All installed collections. No index: a row a collection.
SELECT collection, mapping_hash, state, is_paused, retired_fields, generation, migrate_sweep
  FROM sync_collection
