-- Whether a table is there. Parameters: database, table. The table, looked up directly.
SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
