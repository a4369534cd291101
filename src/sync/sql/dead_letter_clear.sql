-- A key succeeded. Parameters: collection, path, key. Index: uq_dead_letter.
DELETE FROM sync_dead_letter
 WHERE collection = ? AND path = ? AND key_hash = UNHEX(SHA1(?))
