-- How many workers are through. Parameters: collection, generation, owners. Index: primary key, its
-- first column.
SELECT COUNT(*) FROM sync_migration
 WHERE collection = ? AND generation = ? AND owners = ? AND phase = 'done'
