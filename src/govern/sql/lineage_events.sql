-- What the events of a database do. Parameter: its name.
SELECT 'EVENT', EVENT_NAME, NULL, EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?
 ORDER BY EVENT_NAME
