-- Who reads the hand-off.
SELECT consumer FROM sync_consumer ORDER BY consumer
