-- The load that began last. Index: primary key, its end.
SELECT MAX(load_id) FROM Load_Runs
