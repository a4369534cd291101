-- All keys, old and new, whose documents still have to move. Parameter: queue. Index:
-- ix_key_change_queue.
SELECT old_key, new_key FROM sync_key_change WHERE queue = ?
