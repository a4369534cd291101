-- The events of a run, in order. Parameter: run. Index: uq_lineage_run_end.
SELECT lineage_id, event_type, event_time, rows_read, rows_written, COALESCE(gtid_position, ''),
       COALESCE(error_class, ''), COALESCE(exported_at, ''), event
  FROM data_lineage_tracker WHERE run_id = ? ORDER BY lineage_id
