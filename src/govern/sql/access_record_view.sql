-- A view was made. Parameters: hash of the statement, name.
UPDATE Access_Objects SET planned_hash = ?,
  found_hash = (SELECT SHA2(CONCAT(VIEW_DEFINITION, '|', SECURITY_TYPE, '|', DEFINER), 256)
                  FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = object_name)
 WHERE object_kind = 'view' AND object_name = ?
