-- A page of a collection. Parameter: its number.
CALL sp_StepRun(@warehouse_run, ?, @warehouse_rows, @warehouse_is_over)
