-- All keys that fail a check now. Parameters: check, how many. Index: the primary key.
SELECT entity_key FROM Quality_Quarantine WHERE check_name = ? AND resolved_at IS NULL LIMIT ?
