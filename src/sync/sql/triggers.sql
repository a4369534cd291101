-- Triggers whose names begin as ours do, and whether they are ours by what they do. The selected
-- database, looked up directly.
SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_STATEMENT,
       ACTION_STATEMENT LIKE '%(`path`, `key`, queued_at)%'
  FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'aethermart\_%'
