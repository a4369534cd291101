-- An event was exported. Parameter: its number. Index: the primary key.
UPDATE data_lineage_tracker SET exported_at = UTC_TIMESTAMP(3) WHERE lineage_id = ?
