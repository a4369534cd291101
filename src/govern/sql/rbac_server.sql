-- The plugin server_audit: whether it is on, and what it sees. No row of it: it is not there.
SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES
 WHERE VARIABLE_NAME IN ('server_audit_logging', 'server_audit_events')
