-- How many of four tables of the shop the selected database has, the first and the last among them.
SELECT COUNT(*) FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE()
   AND TABLE_NAME IN ('Products', 'Reviews', 'Staging_Reviews', 'data_quality_logs')
