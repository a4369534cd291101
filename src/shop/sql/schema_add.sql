-- A migration begins. Parameters: number, name, checksum.
INSERT INTO schema_migrations (migration_number, migration_name, checksum) VALUES (?, ?, ?)
