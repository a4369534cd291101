-- How large a store was, the oldest first. Parameters: its name, days to look back. Primary key.
SELECT UNIX_TIMESTAMP(sampled_at), byte_count FROM Retention_Samples
 WHERE store_name = ? AND sampled_at >= UTC_TIMESTAMP() - INTERVAL ? DAY ORDER BY sampled_at
