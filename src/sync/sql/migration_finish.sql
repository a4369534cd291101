-- All workers are through: the collection is live. Fields of the former mapping stay named while some
-- document may still have them: one that was refused, or that waits for its key's change.
-- Parameters: collection, generation. Indexes: primary key, uq_dead_letter, ix_key_change_queue.
UPDATE sync_collection c
   SET c.state = 'live', c.migrated_at = CURRENT_TIMESTAMP,
       c.retired_fields = IF(EXISTS (SELECT 1 FROM sync_dead_letter d WHERE d.collection = c.collection)
         OR EXISTS (SELECT 1 FROM sync_key_change k WHERE k.queue = c.queue), c.retired_fields, '[]')
 WHERE c.collection = ? AND c.generation = ? AND c.state = 'migrating'
