-- All keys, old and new, whose documents still have to move. Parameter: queue.
SELECT old_key, new_key FROM sync_key_change WHERE queue = ?
