-- The load that was completed last, as a text that no other database has. Index: primary key, from
-- its end.
SELECT CONCAT(load_id, ' at ', started_at) FROM Load_Runs
 WHERE run_status = 'done' ORDER BY load_id DESC LIMIT 1
