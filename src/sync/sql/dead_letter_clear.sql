-- A key succeeded. Parameters: collection, path, key.
DELETE FROM sync_dead_letter
 WHERE collection = ? AND path = ? AND key_hash = UNHEX(SHA1(?))
