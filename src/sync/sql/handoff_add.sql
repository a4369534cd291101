-- A document changed. Parameters: consumer, collection, key. Index: primary key.
INSERT INTO sync_handoff (consumer, collection, `key`, version)
VALUES (?, ?, ?, NEXTVAL(sync_handoff_version))
ON DUPLICATE KEY UPDATE version = VALUES(version)
