-- A run is over; no row: somebody else has ended it. Parameter: run. Index: the primary key.
DELETE FROM Lineage_Runs WHERE run_id = ?
