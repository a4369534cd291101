-- The state of a collection, or that it is installed with another mapping. Parameters:
-- mapping_hash, collection. Index: primary key.
SELECT IF(mapping_hash = ?, state, 'mapping_changed') FROM sync_collection WHERE collection = ?
