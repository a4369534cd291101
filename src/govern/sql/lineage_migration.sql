-- The run of a migration in which a document was written: the worker may begin up to a second before the verb has
-- noted its run. Parameters: time, time, collection. Index: ix_lineage_job.
SELECT s.run_id, COALESCE(e.event_time, ''), COALESCE(e.gtid_position, ''), s.event_time, ''
  FROM data_lineage_tracker s LEFT JOIN data_lineage_tracker e ON e.run_id = s.run_id AND e.run_end = 'END'
 WHERE s.job_name = 'migrate' AND s.run_end = 'START' AND s.event_time <= ? + INTERVAL 2 SECOND
   AND (e.event_time IS NULL OR e.event_time >= ?) AND LOCATE(CONCAT('.', ?, ','), CONCAT(s.outputs, ','))
 ORDER BY s.event_time DESC LIMIT 1
