-- What the START of a run says of its datasets. Parameter: run. Index: uq_lineage_run_end.
SELECT inputs, outputs, event FROM data_lineage_tracker WHERE run_id = ? AND run_end = 'START'
