-- Roots whose key changed, oldest first. Parameter: queue. Index: ix_key_change_queue, in its
-- order.
SELECT id, old_key, new_key FROM sync_key_change WHERE queue = ? ORDER BY id LIMIT 1000
