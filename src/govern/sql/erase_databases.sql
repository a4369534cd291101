-- Databases of others that the account sees, the server's own left out. Parameter: the shop's.
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA
 WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', ?)
 ORDER BY 1
