-- Dead letters are queued again. Parameters: time to note; collection; id, 0 for all. Index:
-- uq_dead_letter.
UPDATE sync_dead_letter SET replayed_at = ? WHERE collection = ? AND ? IN (0, id)
