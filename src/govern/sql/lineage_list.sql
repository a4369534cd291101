-- Runs, the newest first, with their end, or, of a stream that goes on, what it did so far. Parameters: job, job
-- (empty: of all), how many. Index: the primary key from its end, ix_lineage_job of one job; uq_lineage_run_end.
SELECT s.run_id, s.job_name, s.event_time, COALESCE(e.event_type, 'RUNNING'), e.event_time,
       IF(e.run_id IS NULL, (SELECT SUM(r.rows_read) FROM data_lineage_tracker r
                              WHERE r.run_id = s.run_id AND r.run_end IS NULL), e.rows_read),
       IF(e.run_id IS NULL, (SELECT SUM(r.rows_written) FROM data_lineage_tracker r
                              WHERE r.run_id = s.run_id AND r.run_end IS NULL), e.rows_written),
       s.inputs, s.outputs, COALESCE(e.error_class, ''), l.run_id IS NOT NULL
  FROM (SELECT lineage_id, run_id, job_name, event_time, inputs, outputs
          FROM data_lineage_tracker
         WHERE run_end = 'START' AND (job_name = ? OR ? = '')
         ORDER BY lineage_id DESC LIMIT ?) s
  LEFT JOIN data_lineage_tracker e ON e.run_id = s.run_id AND e.run_end = 'END'
  LEFT JOIN Lineage_Runs l ON l.run_id = s.run_id
 ORDER BY s.lineage_id DESC
