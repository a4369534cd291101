-- A document that the target refused. Parameters: collection, path, key, error. Index:
-- uq_dead_letter.
INSERT INTO sync_dead_letter (collection, path, `key`, error) VALUES (?, ?, ?, LEFT(?, 1000))
ON DUPLICATE KEY UPDATE error = VALUES(error), attempts = attempts + 1,
  last_at = CURRENT_TIMESTAMP, replayed_at = NULL
