-- Whether the selected database has a table or view. Parameter: name. Database and name are looked
-- up directly, no folder is read.
SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
