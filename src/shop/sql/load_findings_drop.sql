-- What was found in a row that turned out to be unchanged; a rejection stays. Parameter: stage_id.
-- Index: ix_staging_quality.
DELETE FROM Staging_Quality WHERE stage_id = ? AND quality_action <> 'rejected'
