-- A run, or the last. Parameter: number, 0: the last; twice. Index: the primary key.
SELECT run_id, DATE_FORMAT(started_at, '%Y-%m-%d %H:%i:%S'), DATE_FORMAT(finished_at, '%Y-%m-%d %H:%i:%S'), actor
  FROM Quality_Runs WHERE run_id = ? OR ? = 0 ORDER BY run_id DESC LIMIT 1
