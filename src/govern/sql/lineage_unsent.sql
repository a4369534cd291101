-- Events that were not exported yet, in order. Parameters: from which time on, behind which event, how many.
-- Index: ix_lineage_export.
SELECT lineage_id, event FROM data_lineage_tracker
 WHERE exported_at IS NULL AND event_time >= ? AND lineage_id > ? ORDER BY lineage_id LIMIT ?
