-- Old events of runs that are over. Parameters: before which time, how many at once. Index: ix_lineage_time.
DELETE FROM data_lineage_tracker
 WHERE event_time < ? AND NOT EXISTS (SELECT 1 FROM Lineage_Runs l WHERE l.run_id = data_lineage_tracker.run_id)
 ORDER BY event_time LIMIT ?
