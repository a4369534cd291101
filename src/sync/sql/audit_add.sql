-- What happened in a minute, or a batch that failed. Parameters in the order of the columns; times
-- in microseconds since 1970, 0 for none.
INSERT INTO sync_audit_log (collection, source, outcome, inserted, updated, deleted, unchanged, failed,
  first_queued_at, last_queued_at, max_lag_ms, mapping_version, term, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, FROM_UNIXTIME(NULLIF(?, 0) / 1000000),
  FROM_UNIXTIME(NULLIF(?, 0) / 1000000), ?, ?, ?, LEFT(?, 1000))
