-- Who reads the hand-off, and goes on being there until this transaction has handed over: rows for one that
-- went in between would belong to nobody. Index: primary key.
SELECT consumer FROM sync_consumer ORDER BY consumer LOCK IN SHARE MODE
