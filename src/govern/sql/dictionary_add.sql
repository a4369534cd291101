-- A column of the dictionary. Parameters: table, column, position, type, whether NULL is allowed, meaning, class,
-- document fields, readers.
INSERT INTO data_dictionary (table_name, column_name, position, column_type, is_nullable, meaning, pii_class,
                             document_fields, readers, refreshed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3))
