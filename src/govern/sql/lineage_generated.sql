-- Columns of a database that the server makes of others of their row. Parameter: its name.
SELECT TABLE_NAME, COLUMN_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = ? AND GENERATION_EXPRESSION IS NOT NULL
 ORDER BY TABLE_NAME, ORDINAL_POSITION
