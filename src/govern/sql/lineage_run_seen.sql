-- A run goes on. Parameters: time, run. Index: the primary key.
UPDATE Lineage_Runs SET seen_at = ? WHERE run_id = ?
