-- Dead letters were queued again. Parameters: collection; id, 0 for all. Index: uq_dead_letter.
UPDATE sync_dead_letter SET replayed_at = CURRENT_TIMESTAMP WHERE collection = ? AND ? IN (0, id)
