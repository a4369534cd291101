-- Dead letters of a unique index that are due for another try: what held the value may be gone.
-- They wait ten seconds longer with each attempt, at most an hour. Parameters: time to note;
-- collection; id, 0 for all. Index: uq_dead_letter, its first column.
UPDATE sync_dead_letter SET replayed_at = ?
 WHERE collection = ? AND ? IN (0, id) AND replayed_at IS NULL AND error LIKE '%DuplicateKey%'
   AND last_at < CURRENT_TIMESTAMP - INTERVAL LEAST(attempts * 10, 3600) SECOND
