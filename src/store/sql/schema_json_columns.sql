-- JSON columns of a database: the check by which MariaDB marks one has the column's name. A query
-- of its own: joined to COLUMNS the server opens every table once a column. Parameter: database,
-- looked up directly.
SELECT TABLE_NAME, CONSTRAINT_NAME
  FROM information_schema.CHECK_CONSTRAINTS
 WHERE CONSTRAINT_SCHEMA = ? AND CHECK_CLAUSE = CONCAT('json_valid(`', CONSTRAINT_NAME, '`)')
