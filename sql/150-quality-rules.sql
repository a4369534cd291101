-- Checks of data quality (rules/quality/*.yaml): their runs, what was acknowledged, what drift is compared
-- with, what stands in quarantine. Results are rows of data_quality_logs, beside what loading found: each has a
-- load or a run. Nothing here holds a value of a row; keys may be those of people, and stand in entity_key.

CREATE TABLE Quality_Runs (
  run_id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  started_at   DATETIME(3) NOT NULL COMMENT 'UTC; of the snapshot',
  finished_at  DATETIME(3) NOT NULL,
  actor        VARCHAR(160) NOT NULL COMMENT 'who ran it: os:NAME',
  n_passed     INT UNSIGNED NOT NULL,
  n_warned     INT UNSIGNED NOT NULL,
  n_failed     INT UNSIGNED NOT NULL COMMENT 'acknowledged ones, too',
  n_errors     INT UNSIGNED NOT NULL COMMENT 'could not be judged',
  PRIMARY KEY (run_id)
) ENGINE=InnoDB COMMENT='Runs of `aethermart quality run`';

CREATE TABLE Quality_Acks (
  ack_id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  check_name     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  acked_by       VARCHAR(160) NOT NULL,
  acked_at       DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  note           VARCHAR(500) NOT NULL COMMENT 'why it may stay so; for whoever meets it',
  until_day      DATE NULL COMMENT 'the last day on which it holds; NULL: no such day',
  check_outcome  ENUM('passed','warned','failed','error') NOT NULL COMMENT 'of what was acknowledged',
  weight         DOUBLE NOT NULL COMMENT 'how bad it was; what is worse is not acknowledged',
  ended_at       DATETIME(3) NULL COMMENT 'UTC; NULL: it holds, until its day',
  ended_because  ENUM('passed','worse','replaced') NULL,
  PRIMARY KEY (ack_id),
  KEY ix_ack_check (check_name, ended_at) COMMENT 'whether a check that fails is known of'
) ENGINE=InnoDB COMMENT='Who knows of which failing check';

CREATE TABLE Quality_Baselines (
  check_name   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  recorded_at  DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  baseline     LONGTEXT NOT NULL COMMENT 'columns of tables; shares of values; the last commit that was seen',
  PRIMARY KEY (check_name)
) ENGINE=InnoDB COMMENT='What checks of drift compare with';

CREATE TABLE Quality_Quarantine (
  check_name   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  entity       VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'table or collection',
  entity_key   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL
               COMMENT 'primary key or _id as text, parts joined by ":"; what is longer is cut',
  reason       VARCHAR(600) NOT NULL COMMENT 'what the check asks for; no values',
  found_by     ENUM('run','stream') NOT NULL COMMENT 'who saw it first',
  first_seen   DATETIME(3) NOT NULL COMMENT 'UTC',
  last_seen    DATETIME(3) NOT NULL,
  resolved_at  DATETIME(3) NULL COMMENT 'it passes again, or is gone; NULL: it fails',
  PRIMARY KEY (check_name, entity, entity_key),
  KEY ix_quarantine_key (entity, entity_key) COMMENT 'what is held against one row; erasure',
  KEY ix_quarantine_open (resolved_at, last_seen) COMMENT 'what fails now; purge of what is over'
) ENGINE=InnoDB COMMENT='Rows and documents that fail a check, and why; they stay where they are';

ALTER TABLE data_quality_logs
  ADD COLUMN run_id         BIGINT UNSIGNED NULL COMMENT 'NULL: found by a load',
  ADD COLUMN check_outcome  ENUM('passed','warned','failed','error') NULL
    COMMENT 'of a run: one row a check; error: it could not be judged',
  ADD COLUMN owner_name     VARCHAR(80) NULL COMMENT 'who is to see to it',
  ADD COLUMN rows_checked   BIGINT UNSIGNED NULL,
  ADD COLUMN rows_failed    BIGINT UNSIGNED NULL,
  ADD COLUMN measured       DOUBLE NULL COMMENT 'rows, seconds, drift; NULL: the check counts what is wrong',
  ADD COLUMN weight         DOUBLE NULL COMMENT 'how bad: more is worse',
  ADD COLUMN run_us         BIGINT UNSIGNED NULL COMMENT 'how long the check took, microseconds',
  ADD COLUMN details        VARCHAR(1000) NULL COMMENT 'in words, without values',
  ADD COLUMN ack_id         BIGINT UNSIGNED NULL COMMENT 'it was known of, and no worse';

ALTER TABLE data_quality_logs
  MODIFY load_id      BIGINT UNSIGNED NULL COMMENT 'NULL: found by a run of the checks',
  MODIFY quality_rule VARCHAR(64) NOT NULL COMMENT 'of a load: docs/data.md lists them; else the check',
  MODIFY entity       VARCHAR(64) NOT NULL COMMENT 'customers, products, ...; of a run a table or collection',
  MODIFY entity_key   VARCHAR(140) NULL COMMENT 'key in the feed; NULL: of a run, whose keys are Quality_Samples',
  MODIFY column_name  VARCHAR(600) NULL COMMENT 'NULL: the whole row',
  MODIFY file_name    VARCHAR(255) NULL COMMENT 'NULL: of a run',
  MODIFY line_number  INT UNSIGNED NULL;

ALTER TABLE data_quality_logs ADD KEY ix_quality_run (run_id) COMMENT 'what a run found';

ALTER TABLE data_quality_logs ADD CONSTRAINT fk_quality_run FOREIGN KEY IF NOT EXISTS fk_quality_run (run_id) REFERENCES Quality_Runs (run_id)
  ON UPDATE RESTRICT ON DELETE RESTRICT;

ALTER TABLE data_quality_logs ADD CONSTRAINT fk_quality_ack FOREIGN KEY IF NOT EXISTS fk_quality_ack (ack_id) REFERENCES Quality_Acks (ack_id)
  ON UPDATE RESTRICT ON DELETE RESTRICT;

CREATE TABLE Quality_Samples (
  quality_log_id  BIGINT UNSIGNED NOT NULL,
  entity          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'table or collection',
  entity_key      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'as in Quality_Quarantine',
  PRIMARY KEY (quality_log_id, entity_key),
  KEY ix_sample_key (entity, entity_key) COMMENT 'erasure',
  CONSTRAINT fk_sample_log FOREIGN KEY (quality_log_id) REFERENCES data_quality_logs (quality_log_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT
) ENGINE=InnoDB COMMENT='Some keys of what a check found wrong';
