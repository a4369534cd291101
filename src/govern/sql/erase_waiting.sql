-- Readers of the hand-off that have a document before them; NULL: none. Parameters: collection, key. Index:
-- primary key of sync_handoff.
SELECT GROUP_CONCAT(c.consumer ORDER BY c.consumer SEPARATOR ', ')
  FROM sync_consumer c JOIN sync_handoff h ON h.consumer = c.consumer AND h.collection = ? AND h.`key` = ?
