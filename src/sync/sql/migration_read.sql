-- A worker's place in a migration. Parameters: collection, owner, generation, owners. Index:
-- primary key.
SELECT phase, after_key, done FROM sync_migration
 WHERE collection = ? AND owner = ? AND generation = ? AND owners = ?
