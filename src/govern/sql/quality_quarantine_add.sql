-- What fails. Of a run, what passed again since it began stays so: the stream has seen it later. Parameters: check, table
-- or collection, key, reason, found by, since when (NULL: now). Index: the primary key.
INSERT INTO Quality_Quarantine (check_name, entity, entity_key, reason, found_by, first_seen, last_seen)
VALUES (?, ?, LEFT(?, 255), LEFT(?, 600), ?, COALESCE(?, UTC_TIMESTAMP(3)), UTC_TIMESTAMP(3))
ON DUPLICATE KEY UPDATE reason = VALUES(reason), last_seen = VALUES(last_seen),
  first_seen = IF(resolved_at IS NOT NULL AND resolved_at < VALUES(first_seen), VALUES(first_seen), first_seen),
  found_by = IF(resolved_at IS NOT NULL AND resolved_at < VALUES(first_seen), VALUES(found_by), found_by),
  resolved_at = IF(resolved_at > VALUES(first_seen), resolved_at, NULL)
