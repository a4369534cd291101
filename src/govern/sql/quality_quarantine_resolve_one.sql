-- A document passes, or is gone. Parameters: check, collection, key. Index: the primary key.
UPDATE Quality_Quarantine SET resolved_at = UTC_TIMESTAMP(3)
 WHERE check_name = ? AND entity = ? AND entity_key = LEFT(?, 255) AND resolved_at IS NULL
