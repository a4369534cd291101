-- A key of what failed. Parameters: result, table or collection, key.
INSERT IGNORE INTO Quality_Samples (quality_log_id, entity, entity_key) VALUES (?, ?, LEFT(?, 255))
