-- An event. Parameters: run, namespace and name of the job, type, time, producer, inputs, outputs, rows read, rows
-- written, position of the binary log, class of the error, the event.
INSERT INTO data_lineage_tracker (run_id, job_namespace, job_name, event_type, event_time, producer, inputs, outputs,
                                  rows_read, rows_written, gtid_position, error_class, event)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?)
