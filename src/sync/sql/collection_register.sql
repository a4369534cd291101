-- Registers a collection with its mapping, or with the changed one: then all of it has to be
-- projected again. Parameters: collection, queue, mapping_hash, owned_fields, retired_fields.
-- Index: primary key.
INSERT INTO sync_collection (collection, queue, mapping_hash, owned_fields, retired_fields)
VALUES (?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE queue = VALUES(queue), mapping_hash = VALUES(mapping_hash),
  mapping_version = mapping_version + 1, owned_fields = VALUES(owned_fields),
  retired_fields = VALUES(retired_fields), state = 'reproject', installed_at = CURRENT_TIMESTAMP
