-- A reader of the hand-off registers, or says that it is there. Parameters: consumer, kind. Index:
-- primary key.
INSERT INTO sync_consumer (consumer, kind) VALUES (?, ?)
ON DUPLICATE KEY UPDATE kind = VALUES(kind), seen_at = CURRENT_TIMESTAMP
