-- A reader of the hand-off goes. Parameter: consumer. Index: primary key.
DELETE FROM sync_consumer WHERE consumer = ?
