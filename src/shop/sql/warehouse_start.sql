-- Begins a run of the warehouse. Parameter: whether all of the shop is read.
CALL sp_StartRun(?, @warehouse_run)
