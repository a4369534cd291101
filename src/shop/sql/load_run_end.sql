-- A load ended. Parameters: status, rows read, loaded, corrected, unchanged, rejected; load_id.
-- Index: primary key.
UPDATE Load_Runs
   SET run_status = ?, rows_read = ?, loaded = ?, corrected = ?, unchanged = ?, rejected = ?,
       finished_at = UTC_TIMESTAMP(3)
 WHERE load_id = ?
