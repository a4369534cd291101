-- Whether migrations have begun, or this is the first time.
SELECT COUNT(*) = 0 OR COALESCE(SUM(before_hash IS NOT NULL), 0) > 0 FROM Access_Definitions
