-- What a check measured last. Parameter: check. Index: ix_quality_rule.
SELECT measured FROM data_quality_logs
 WHERE quality_rule = ? AND run_id IS NOT NULL AND measured IS NOT NULL
 ORDER BY logged_at DESC, quality_log_id DESC LIMIT 1
