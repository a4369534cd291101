-- What is installed of a collection, and whether it has another queue. Parameters: queue that the
-- mapping wants, collection. Index: primary key.
SELECT mapping_hash, owned_fields, retired_fields, queue <> ?
  FROM sync_collection
 WHERE collection = ?
