-- How large a store is now. Parameters: its name, bytes. Two in one second are one. Primary key.
INSERT INTO Retention_Samples (store_name, sampled_at, byte_count) VALUES (?, UTC_TIMESTAMP(), ?)
ON DUPLICATE KEY UPDATE byte_count = VALUE(byte_count)
