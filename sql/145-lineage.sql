-- Which run made which data of which: events of OpenLineage as they were made, and the runs that go on.
-- src/govern/lineage.h says what is written when. No value of a row stands here.

CREATE TABLE data_lineage_tracker (
  lineage_id     BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  run_id         CHAR(36) CHARACTER SET ascii NOT NULL COMMENT 'UUID',
  job_namespace  VARCHAR(190) NOT NULL,
  job_name       VARCHAR(190) NOT NULL COMMENT 'load, migrate, sync.COLLECTION, index.words.COLLECTION, warehouse, erase, quality',
  event_type     ENUM('START','RUNNING','COMPLETE','FAIL','ABORT','OTHER') NOT NULL,
  event_time     DATETIME(6) NOT NULL COMMENT 'UTC',
  producer       VARCHAR(190) NOT NULL COMMENT 'program and version',
  inputs         TEXT NOT NULL COMMENT 'names of datasets, comma-separated',
  outputs        TEXT NOT NULL,
  rows_read      BIGINT UNSIGNED NULL COMMENT 'since the event before of a stream, else in all; NULL: nobody counted',
  rows_written   BIGINT UNSIGNED NULL,
  gtid_position  VARCHAR(512) NULL COMMENT 'how far the binary log was; NULL: there is none',
  error_class    VARCHAR(32) NULL COMMENT 'of FAIL and ABORT',
  event          LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'OpenLineage, as it is exported',
  exported_at    DATETIME(3) NULL COMMENT 'UTC; NULL: not yet',
  run_end        CHAR(5) CHARACTER SET ascii AS (CASE WHEN event_type = 'START' THEN 'START'
                   WHEN event_type IN ('COMPLETE', 'FAIL', 'ABORT') THEN 'END' END) PERSISTENT
                   COMMENT 'NULL: between the two',
  PRIMARY KEY (lineage_id),
  UNIQUE KEY uq_lineage_run_end (run_id, run_end) COMMENT 'a run begins once and ends once',
  KEY ix_lineage_job (job_name, event_time) COMMENT 'lineage list of a job; the window of a document',
  KEY ix_lineage_time (event_time) COMMENT 'purge by age',
  KEY ix_lineage_export (exported_at, lineage_id) COMMENT 'lineage export: what was not sent, in order',
  CONSTRAINT ck_lineage_event CHECK (JSON_VALID(event))
) ENGINE=InnoDB COMMENT='Which run made which data of which: events of OpenLineage';

CREATE TABLE Lineage_Runs (
  run_id      CHAR(36) CHARACTER SET ascii NOT NULL,
  job_name    VARCHAR(190) NOT NULL,
  process     VARCHAR(190) CHARACTER SET ascii NOT NULL COMMENT 'machine, boot, PID namespace, PID and its start',
  started_at  DATETIME(6) NOT NULL COMMENT 'UTC',
  seen_at     DATETIME(6) NOT NULL COMMENT 'UTC; of a stream each minute',
  PRIMARY KEY (run_id),
  KEY ix_lineage_runs_job (job_name) COMMENT 'what a former run of the job left'
) ENGINE=InnoDB COMMENT='Runs that go on; one whose process is gone is ended as ABORT';
