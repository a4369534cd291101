-- Whether a Galera node takes part in its cluster, ON or OFF; no row: not a Galera node.
SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
 WHERE VARIABLE_NAME = 'WSREP_READY' AND @@wsrep_on
