-- Why the newest state of a document is not in MongoDB. Parameters: collection, key. Index: uq_dead_letter.
SELECT error FROM sync_dead_letter WHERE collection = ? AND path = 0 AND `key` = ?
