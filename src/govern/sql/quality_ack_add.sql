-- Somebody knows. Parameters: by whom, note, last day, result that is acknowledged. Index: the primary key.
INSERT INTO Quality_Acks (check_name, acked_by, note, until_day, check_outcome, weight)
SELECT quality_rule, ?, ?, ?, check_outcome, weight FROM data_quality_logs WHERE quality_log_id = ?
