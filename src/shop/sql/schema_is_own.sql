-- Whether schema_migrations of this database is the table of schema_table.sql: 1 or 0. Its comment
-- and the columns that no other program has. The database and the table, looked up directly.
SELECT COUNT(*) = 4
  FROM information_schema.TABLES t
  JOIN information_schema.COLUMNS c
    ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
   AND c.COLUMN_NAME IN ('migration_name', 'checksum', 'statements_done', 'statement_begun')
 WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = 'schema_migrations'
   AND c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = 'schema_migrations'
   AND t.TABLE_COMMENT = 'Which files of sql/ this database has'
