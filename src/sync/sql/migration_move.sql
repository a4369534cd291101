-- A page is done. Parameters: phase, after_key, done, collection, owner, generation.
UPDATE sync_migration SET phase = ?, after_key = ?, done = done + ?
 WHERE collection = ? AND owner = ? AND generation = ?
