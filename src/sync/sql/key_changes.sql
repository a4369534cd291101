-- Roots whose key changed, oldest first; none while the collection is paused or has another mapping,
-- as in the claim. Parameters: queue, mapping_hash. Indexes: ix_key_change_queue; a few collections.
SELECT k.id, k.old_key, k.new_key
  FROM sync_key_change k
 WHERE k.queue = ?
   AND EXISTS (SELECT 1 FROM sync_collection c
                WHERE c.queue = k.queue AND NOT c.is_paused AND c.mapping_hash = ?)
 ORDER BY k.id LIMIT 1000
