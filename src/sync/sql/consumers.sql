-- Who reads the hand-off of a mapping, and goes on being there until this transaction has handed over: rows for one
-- that went in between would belong to nobody. Parameter: whether the mapping has a target. Index: primary key.
SELECT consumer FROM sync_consumer WHERE takes_all = 1 OR ? ORDER BY consumer LOCK IN SHARE MODE
