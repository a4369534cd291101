-- The sync's own tables and sequences, without the queues. The selected database, looked up
-- directly.
SELECT TABLE_NAME FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SEQUENCE')
   AND TABLE_NAME LIKE 'sync\_%'
