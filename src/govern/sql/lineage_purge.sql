-- Old events, of runs that are over and did not end later: an end without its START would tell nothing.
-- Parameters: before which time, the same, how many at once. Index: ix_lineage_time.
DELETE FROM data_lineage_tracker
 WHERE event_time < ? AND NOT EXISTS (SELECT 1 FROM Lineage_Runs l WHERE l.run_id = data_lineage_tracker.run_id)
   AND NOT EXISTS (SELECT 1 FROM data_lineage_tracker y WHERE y.run_id = data_lineage_tracker.run_id
                      AND y.run_end = 'END' AND y.event_time >= ?)
 ORDER BY event_time LIMIT ?
