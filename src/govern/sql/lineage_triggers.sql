-- What the triggers of a database do, but for those that fill the queues: mappings tell what these do. Parameter: its
-- name.
SELECT 'TRIGGER', TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = ? AND TRIGGER_NAME NOT LIKE 'aethermart\_%' ORDER BY TRIGGER_NAME
