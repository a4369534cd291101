-- A result. Parameters: check, severity, table or collection, columns, run, outcome, owner, rows checked, rows failed,
-- what was measured (as text), weight (as text), microseconds, details, acknowledgement.
INSERT INTO data_quality_logs (quality_rule, severity, quality_action, entity, column_name, run_id, check_outcome,
                               owner_name, rows_checked, rows_failed, measured, weight, run_us, details, ack_id)
VALUES (?, ?, 'noted', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 1000), ?)
