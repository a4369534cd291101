-- Ends the run; answers a row.
CALL sp_EndRun(@warehouse_run)
