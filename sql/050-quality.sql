-- What loading did: each run, and each value that it corrected or refused.

CREATE TABLE Load_Runs (
  load_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  started_at   DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3),
  finished_at  DATETIME(3) NULL COMMENT 'NULL: running, or stopped in the middle',
  run_status   ENUM('running','done','failed','stopped') NOT NULL DEFAULT 'running',
  rows_read    BIGINT UNSIGNED NOT NULL DEFAULT 0,
  loaded       BIGINT UNSIGNED NOT NULL DEFAULT 0,
  corrected    BIGINT UNSIGNED NOT NULL DEFAULT 0,
  unchanged    BIGINT UNSIGNED NOT NULL DEFAULT 0,
  rejected     BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (load_id)
) ENGINE=InnoDB COMMENT='Runs of `aethermart load`';

CREATE TABLE data_quality_logs (
  quality_log_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  load_id         BIGINT UNSIGNED NOT NULL,
  quality_rule    VARCHAR(40) NOT NULL COMMENT 'docs/data.md lists them',
  severity        ENUM('info','warning','error') NOT NULL,
  quality_action  ENUM('corrected','rejected','noted') NOT NULL,
  entity          VARCHAR(40) NOT NULL COMMENT 'customers, products, ...',
  entity_key      VARCHAR(140) NOT NULL COMMENT 'key in the feed',
  column_name     VARCHAR(120) NULL COMMENT 'NULL: the whole row',
  value_before    VARCHAR(1000) NULL COMMENT 'cut at 1,000 characters; may hold personal data',
  value_after     VARCHAR(1000) NULL,
  file_name       VARCHAR(255) NOT NULL,
  line_number     INT UNSIGNED NOT NULL,
  logged_at       DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3),
  PRIMARY KEY (quality_log_id),
  KEY ix_quality_load (load_id, entity, quality_rule) COMMENT 'what a load found',
  KEY ix_quality_rule (quality_rule, logged_at) COMMENT 'how often a rule fires',
  KEY ix_quality_key (entity, entity_key) COMMENT 'what happened to one row; erasure',
  CONSTRAINT fk_quality_load FOREIGN KEY (load_id) REFERENCES Load_Runs (load_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT
) ENGINE=InnoDB COMMENT='Every correction and every rejection of loading';

CREATE TABLE Feed_Aliases (
  entity       VARCHAR(40) NOT NULL,
  external_id  VARCHAR(64) NOT NULL COMMENT 'key in the feed of a row that was refused as a duplicate',
  target_id    BIGINT UNSIGNED NOT NULL COMMENT 'the shop''s row that references to it mean',
  PRIMARY KEY (entity, external_id)
) ENGINE=InnoDB COMMENT='Keys of duplicates: a customer with two keys and one e-mail';
