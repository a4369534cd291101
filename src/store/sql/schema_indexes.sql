-- Columns of the indexes of a database, by table, index and position. Parameter: database, looked
-- up directly.
SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, INDEX_COMMENT
  FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = ?
 ORDER BY CAST(TABLE_NAME AS BINARY), CAST(INDEX_NAME AS BINARY), SEQ_IN_INDEX
