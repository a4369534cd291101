-- Events, exported or not, in order. Parameters: from which time on, behind which event, how many.
-- Index: the primary key.
SELECT lineage_id, event FROM data_lineage_tracker
 WHERE event_time >= ? AND lineage_id > ? ORDER BY lineage_id LIMIT ?
