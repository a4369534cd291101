-- A worker begins a migration, or begins again because the number of workers changed. Parameters:
-- collection, owner, generation, owners. Index: primary key.
REPLACE INTO sync_migration (collection, owner, generation, owners) VALUES (?, ?, ?, ?)
