-- Who reads the hand-off. Index: primary key.
SELECT consumer FROM sync_consumer ORDER BY consumer
