-- A document changed: a row for each consumer that is there, and goes on being there until this transaction
-- ends: a row for one that went in between would belong to nobody. Parameters: collection, key, version,
-- whether the mapping has a target. Index: primary keys.
INSERT INTO sync_handoff (consumer, collection, `key`, version)
SELECT consumer, ?, ?, ? FROM sync_consumer WHERE takes_all = 1 OR ? ORDER BY consumer LOCK IN SHARE MODE
ON DUPLICATE KEY UPDATE version = VALUES(version)
