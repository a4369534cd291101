-- Dead letters, the oldest first. Parameters: collection, '' for all; id, 0 for all. Index: primary
-- key, in its order; they are few, and a person asks.
SELECT id, collection, path, `key`, error, attempts, first_at, last_at, replayed_at
  FROM sync_dead_letter
 WHERE ? IN ('', collection) AND ? IN (0, id)
 ORDER BY id
