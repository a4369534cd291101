-- Whether what the sync noted at a time is still kept, or is to be written yet. Parameters: time, time. Index: ix_audit_time.
SELECT COALESCE(MIN(logged_at) <= ?, FALSE) OR ? > UTC_TIMESTAMP() - INTERVAL 1 HOUR FROM sync_audit_log
