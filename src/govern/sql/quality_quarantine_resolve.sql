-- What a run has not seen fail passes. Parameters: check, table or collection, start of the run. Index: the primary key.
UPDATE Quality_Quarantine SET resolved_at = UTC_TIMESTAMP(3)
 WHERE check_name = ? AND entity = ? AND resolved_at IS NULL AND last_seen < ?
