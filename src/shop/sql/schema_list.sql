-- All migrations of this database, by name. No index: a row a file.
SELECT migration_number, migration_name, checksum, statements_done, statement_begun, started_at,
  finished_at
  FROM schema_migrations
 ORDER BY CAST(migration_name AS BINARY)
