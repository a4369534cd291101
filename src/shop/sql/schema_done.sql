-- A statement is done. Parameters: its number, name. Index: primary key.
UPDATE schema_migrations SET statements_done = ?, statement_begun = NULL WHERE migration_name = ?
