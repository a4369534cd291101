-- Keys that are kept with a result. Parameter: result. Index: the primary key.
SELECT entity, entity_key FROM Quality_Samples WHERE quality_log_id = ? ORDER BY entity_key
