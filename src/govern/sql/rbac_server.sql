-- The variables of the plugin server_audit: whether it is on, what it sees. No row: it is not there.
SELECT LOWER(VARIABLE_NAME), COALESCE(VARIABLE_VALUE, '') FROM information_schema.GLOBAL_VARIABLES
 WHERE VARIABLE_NAME LIKE 'server\_audit\_%'
