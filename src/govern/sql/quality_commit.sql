-- When a change of a table was last committed, as InnoDB remembers it (NULL: not since the server
-- started), and since when the server runs. Parameter: table. Looked up directly.
SELECT DATE_FORMAT(UPDATE_TIME, '%Y-%m-%d %H:%i:%S'),
       (SELECT DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL VARIABLE_VALUE SECOND, '%Y-%m-%d %H:%i:%S')
          FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME')
  FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
