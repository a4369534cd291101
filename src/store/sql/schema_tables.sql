-- Tables and views of a database, by name. Parameter: database, looked up directly.
SELECT TABLE_NAME, TABLE_TYPE, IFNULL(ENGINE, ''), TABLE_COMMENT, IFNULL(TABLE_ROWS, 0)
  FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'VIEW')
 ORDER BY CAST(TABLE_NAME AS BINARY)
