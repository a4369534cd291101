-- What stands in quarantine, the newest first. Parameters: check (empty: all), the same, 1: what passes again, too, how
-- many. Index: ix_quarantine_open.
SELECT check_name, entity, entity_key, reason, found_by, DATE_FORMAT(first_seen, '%Y-%m-%d %H:%i:%S'),
       DATE_FORMAT(last_seen, '%Y-%m-%d %H:%i:%S'), COALESCE(DATE_FORMAT(resolved_at, '%Y-%m-%d %H:%i:%S'), '')
  FROM Quality_Quarantine
 WHERE (? = '' OR check_name = ?) AND (resolved_at IS NULL OR ?)
 ORDER BY last_seen DESC, check_name, entity_key LIMIT ?
