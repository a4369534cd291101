-- The event of a sync behind a time, and the last one before another time, with how far the binary log was at each:
-- what was written at the first time was committed between them. A run that began later tells nothing of it; it is
-- noted up to some seconds after its worker began. Parameters: job, time, time, job, other time.
-- Index: ix_lineage_job.
SELECT e.run_id, e.event_time, COALESCE(e.gtid_position, ''), COALESCE(b.event_time, ''), COALESCE(b.gtid_position, '')
  FROM (SELECT run_id, event_time, gtid_position FROM data_lineage_tracker
         WHERE job_name = ? AND event_time >= ? ORDER BY event_time, lineage_id LIMIT 1) e
  JOIN data_lineage_tracker s ON s.run_id = e.run_id AND s.run_end = 'START' AND s.event_time <= ? + INTERVAL 10 SECOND
  LEFT JOIN (SELECT event_time, gtid_position FROM data_lineage_tracker
              WHERE job_name = ? AND event_time < ? ORDER BY event_time DESC, lineage_id DESC LIMIT 1) b ON TRUE
