-- The newest results of a check. Parameters: check, how many. Index: ix_quality_rule.
SELECT quality_log_id, run_id, quality_rule, entity, COALESCE(column_name, ''), check_outcome, owner_name, rows_checked,
       rows_failed, measured, run_us, COALESCE(details, ''), ack_id IS NOT NULL,
       DATE_FORMAT(logged_at, '%Y-%m-%d %H:%i:%S')
  FROM data_quality_logs WHERE quality_rule = ? AND run_id IS NOT NULL
 ORDER BY logged_at DESC, quality_log_id DESC LIMIT ?
