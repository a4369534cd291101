-- The last result of a check, by name or by number of a result. Parameters: name, number. Indexes: ix_quality_rule, the
-- primary key.
SELECT quality_log_id, quality_rule, check_outcome FROM data_quality_logs
 WHERE quality_rule = ? AND run_id IS NOT NULL OR quality_log_id = ? AND run_id IS NOT NULL
 ORDER BY quality_log_id DESC LIMIT 1
