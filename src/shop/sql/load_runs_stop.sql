-- Loads that were killed; the caller has the lock, so none runs. No index: a row a load.
UPDATE Load_Runs SET run_status = 'stopped', finished_at = UTC_TIMESTAMP(3)
 WHERE run_status = 'running'
