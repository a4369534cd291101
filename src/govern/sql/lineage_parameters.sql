-- Parameters of the procedures and functions of a database in their order; what a function returns, without a name,
-- comes last. Parameter: the database's name.
SELECT ROUTINE_TYPE, SPECIFIC_NAME, PARAMETER_NAME, PARAMETER_MODE FROM information_schema.PARAMETERS
 WHERE SPECIFIC_SCHEMA = ? ORDER BY ROUTINE_TYPE, SPECIFIC_NAME, ORDINAL_POSITION = 0, ORDINAL_POSITION
