-- What the procedures and functions of a database do. Parameter: its name.
SELECT ROUTINE_TYPE, ROUTINE_NAME, NULL, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
 ORDER BY ROUTINE_TYPE, ROUTINE_NAME
