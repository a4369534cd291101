-- A run. Parameters: start, actor, how many passed, warned, failed, could not be judged.
INSERT INTO Quality_Runs (started_at, finished_at, actor, n_passed, n_warned, n_failed, n_errors)
VALUES (?, UTC_TIMESTAMP(3), ?, ?, ?, ?, ?)
