-- The record of migrations; see schema.h for the states of a row. Repeatable.
CREATE TABLE IF NOT EXISTS schema_migrations (
  migration_number INT UNSIGNED NOT NULL COMMENT 'from the file name',
  migration_name   VARCHAR(120) NOT NULL COMMENT 'file of sql/',
  checksum         CHAR(64) NOT NULL COMMENT 'SHA-256 of the file, hex',
  statements_done  INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'of the file, in order',
  statement_begun  INT UNSIGNED NULL COMMENT 'running, or cut off while it ran',
  started_at       DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  finished_at      DATETIME(3) NULL COMMENT 'UTC; NULL: not completely applied',
  PRIMARY KEY (migration_name)
) ENGINE=InnoDB COMMENT='Which files of sql/ this database has'
