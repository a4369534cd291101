-- All statements of a file are done. Parameter: name. Index: primary key.
UPDATE schema_migrations SET finished_at = UTC_TIMESTAMP(3), statement_begun = NULL
 WHERE migration_name = ?
