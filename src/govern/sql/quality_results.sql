-- Results of a run, in the order of the checks. Parameter: run. Index: ix_quality_run.
SELECT quality_log_id, run_id, quality_rule, entity, COALESCE(column_name, ''), check_outcome, owner_name, rows_checked,
       rows_failed, measured, run_us, COALESCE(details, ''), ack_id IS NOT NULL,
       DATE_FORMAT(logged_at, '%Y-%m-%d %H:%i:%S')
  FROM data_quality_logs WHERE run_id = ? ORDER BY quality_log_id
