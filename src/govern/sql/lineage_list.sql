-- Runs, the newest first, with their last event. Parameters: job, job (empty: of all), how many.
-- Index: the primary key from its end; uq_lineage_run_end.
SELECT s.run_id, s.job_name, s.event_time, COALESCE(e.event_type, 'RUNNING'), e.event_time,
       COALESCE(e.rows_read, r.rows_read), COALESCE(e.rows_written, r.rows_written), s.inputs, s.outputs,
       COALESCE(e.error_class, ''), l.run_id IS NOT NULL
  FROM (SELECT lineage_id, run_id, job_name, event_time, inputs, outputs
          FROM data_lineage_tracker
         WHERE run_end = 'START' AND (job_name = ? OR ? = '')
         ORDER BY lineage_id DESC LIMIT ?) s
  LEFT JOIN data_lineage_tracker e ON e.run_id = s.run_id AND e.run_end = 'END'
  LEFT JOIN (SELECT run_id, SUM(rows_read) AS rows_read, SUM(rows_written) AS rows_written
               FROM data_lineage_tracker WHERE event_type = 'RUNNING' GROUP BY run_id) r ON r.run_id = s.run_id
  LEFT JOIN Lineage_Runs l ON l.run_id = s.run_id
 ORDER BY s.lineage_id DESC
