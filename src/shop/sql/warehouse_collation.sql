-- The collation that a database gives its tables. Parameter: the database. Index: the server's dictionary.
SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?
