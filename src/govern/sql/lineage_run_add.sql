-- A run begins. Parameters: run, job, process, time, time.
INSERT INTO Lineage_Runs (run_id, job_name, process, started_at, seen_at) VALUES (?, ?, ?, ?, ?)
