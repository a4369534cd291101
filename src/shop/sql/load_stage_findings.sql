-- Findings of a chunk of rows, from memory: the file's name means nothing. The server prepares no
-- LOAD DATA; it has no parameters.
LOAD DATA LOCAL INFILE 'findings' INTO TABLE Staging_Quality CHARACTER SET utf8mb4
  FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'
  (stage_id, quality_rule, severity, quality_action, entity, entity_key, column_name,
   value_before, value_after, owner_key, owner_email, order_key, file_no, line_number)
