-- A result is known of. Parameters: acknowledgement, result. Index: the primary key.
UPDATE data_quality_logs SET ack_id = ? WHERE quality_log_id = ?
