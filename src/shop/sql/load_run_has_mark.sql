-- Whether this database has the completed load of that mark. Parameter: what load_run_mark.sql
-- answered. A row a load: no index.
SELECT COUNT(*) FROM Load_Runs
 WHERE run_status = 'done' AND CONCAT(load_id, ' at ', started_at) = ?
