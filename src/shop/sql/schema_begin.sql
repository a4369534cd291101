-- A statement is about to run, or did not happen. Parameters: its number or NULL, name. Index:
-- primary key.
UPDATE schema_migrations SET statement_begun = ? WHERE migration_name = ?
