-- A dry run leaves nothing behind. Parameter: load_id. Index: primary key.
DELETE FROM Load_Runs WHERE load_id = ?
