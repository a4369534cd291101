-- How large a store was, the oldest first, with seconds from now: below 0 in the past. Parameters: its name, days to
-- look back. Primary key.
SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), sampled_at), byte_count FROM Retention_Samples
 WHERE store_name = ? AND sampled_at >= UTC_TIMESTAMP() - INTERVAL ? DAY ORDER BY sampled_at
