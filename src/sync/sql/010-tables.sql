-- The sync's own tables. Repeatable: nothing here changes what exists. Names of collections, queues
-- and consumers are compared byte by byte.

CREATE TABLE IF NOT EXISTS sync_lease (
  name        VARCHAR(32) NOT NULL,
  holder      VARCHAR(190) NOT NULL DEFAULT '' COMMENT 'host, process and start of the one writer',
  term        BIGINT NOT NULL DEFAULT 0 COMMENT 'rises with every new holder; MongoDB''s fences hold it too',
  expires_at  TIMESTAMP(6) NOT NULL DEFAULT '2000-01-01 00:00:00',
  PRIMARY KEY (name)
) ENGINE=InnoDB COMMENT='Who writes: a row, because Galera grants GET_LOCK twice';

INSERT IGNORE INTO sync_lease (name) VALUES ('sync');

CREATE TABLE IF NOT EXISTS sync_collection (
  collection      VARCHAR(120) COLLATE utf8mb4_nopad_bin NOT NULL,
  queue           VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL,
  mapping_hash    CHAR(64) CHARACTER SET ascii NOT NULL,
  mapping_version INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'rises with each change of the hash',
  state           ENUM('reproject','migrating','live') NOT NULL DEFAULT 'reproject',
  is_paused       TINYINT(1) NOT NULL DEFAULT 0,
  owned_fields    JSON NOT NULL COMMENT 'top-level fields that the sync sets',
  retired_fields  JSON NOT NULL COMMENT 'fields that an earlier mapping set: unset when a document is written',
  generation      INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'number of the migration',
  migrate_total   BIGINT NOT NULL DEFAULT 0,
  migrate_sweep   TINYINT(1) NOT NULL DEFAULT 1 COMMENT '0: the target was empty, nothing can be extra',
  applied_total   BIGINT UNSIGNED NOT NULL DEFAULT 0,
  failed_total    BIGINT UNSIGNED NOT NULL DEFAULT 0,
  installed_at    TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  migrated_at     TIMESTAMP NULL DEFAULT NULL,
  verified_at     TIMESTAMP NULL DEFAULT NULL,
  verified_result VARCHAR(190) NULL,
  PRIMARY KEY (collection)
) ENGINE=InnoDB COMMENT='Collections that the sync keeps';

CREATE TABLE IF NOT EXISTS sync_migration (
  collection  VARCHAR(120) COLLATE utf8mb4_nopad_bin NOT NULL,
  owner       SMALLINT UNSIGNED NOT NULL COMMENT 'worker',
  generation  INT UNSIGNED NOT NULL,
  owners      SMALLINT UNSIGNED NOT NULL COMMENT 'number of workers when it began',
  phase       ENUM('pages','sweep','done') NOT NULL DEFAULT 'pages',
  after_key   VARBINARY(1024) NOT NULL DEFAULT '',
  done        BIGINT UNSIGNED NOT NULL DEFAULT 0,
  pages       BIGINT UNSIGNED NOT NULL DEFAULT 0,
  updated_at  TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (collection, owner)
) ENGINE=InnoDB COMMENT='How far each worker is with a migration';

CREATE TABLE IF NOT EXISTS sync_key_change (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  queue       VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL,
  old_key     VARBINARY(1024) NOT NULL,
  new_key     VARBINARY(1024) NOT NULL,
  changed_at  TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY ix_key_change_queue (queue, id) COMMENT 'pending changes of one queue, oldest first',
  KEY ix_key_change_old (queue, old_key) COMMENT 'which keys of a batch have to wait',
  KEY ix_key_change_new (queue, new_key) COMMENT 'which keys of a batch have to wait'
) ENGINE=InnoDB COMMENT='Roots whose key changed: MongoDB''s own fields move to the new _id';

CREATE TABLE IF NOT EXISTS sync_dead_letter (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  collection   VARCHAR(120) COLLATE utf8mb4_nopad_bin NOT NULL,
  path         INT UNSIGNED NOT NULL,
  `key`        VARBINARY(1024) NOT NULL,
  key_hash     BINARY(20) AS (UNHEX(SHA1(`key`))) PERSISTENT,
  error        VARCHAR(1000) NOT NULL COMMENT 'never a value',
  attempts     INT UNSIGNED NOT NULL DEFAULT 1,
  first_at     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  replayed_at  TIMESTAMP NULL DEFAULT NULL COMMENT 'queued again; goes when the key succeeds',
  PRIMARY KEY (id),
  UNIQUE KEY uq_dead_letter (collection, path, key_hash) COMMENT 'one row a document'
) ENGINE=InnoDB COMMENT='Documents that the target refused';

CREATE TABLE IF NOT EXISTS sync_consumer (
  consumer    VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'id of its data folder',
  kind        VARCHAR(32) NOT NULL,
  created_at  TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  seen_at     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (consumer)
) ENGINE=InnoDB COMMENT='Who reads the hand-off';

ALTER TABLE sync_consumer ADD COLUMN IF NOT EXISTS takes_all TINYINT(1) NOT NULL DEFAULT 0
  COMMENT '1: also of mappings without a target';

CREATE TABLE IF NOT EXISTS sync_handoff (
  consumer    VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL,
  collection  VARCHAR(120) COLLATE utf8mb4_nopad_bin NOT NULL,
  `key`       VARBINARY(1024) NOT NULL,
  version     BIGINT UNSIGNED NOT NULL COMMENT 'a consumer deletes the row only at the version it read',
  PRIMARY KEY (consumer, collection, `key`)
) ENGINE=InnoDB COMMENT='Documents that changed, for each consumer';

CREATE TABLE IF NOT EXISTS sync_audit_log (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  logged_at        TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  collection       VARCHAR(120) COLLATE utf8mb4_nopad_bin NOT NULL,
  source           VARCHAR(32) NOT NULL COMMENT 'queue, migration',
  outcome          VARCHAR(64) NOT NULL COMMENT 'applied, or the class of the error',
  inserted         INT UNSIGNED NOT NULL DEFAULT 0,
  updated          INT UNSIGNED NOT NULL DEFAULT 0,
  deleted          INT UNSIGNED NOT NULL DEFAULT 0,
  unchanged        INT UNSIGNED NOT NULL DEFAULT 0,
  failed           INT UNSIGNED NOT NULL DEFAULT 0,
  first_queued_at  TIMESTAMP(6) NULL DEFAULT NULL,
  last_queued_at   TIMESTAMP(6) NULL DEFAULT NULL,
  max_lag_ms       BIGINT UNSIGNED NOT NULL DEFAULT 0,
  mapping_version  VARCHAR(12) NOT NULL,
  term             BIGINT NOT NULL,
  error            VARCHAR(1000) NULL,
  PRIMARY KEY (id),
  KEY ix_audit_time (logged_at) COMMENT 'purge after the retention; the newest first'
) ENGINE=InnoDB COMMENT='What the sync did: a row a minute and collection, and one for each failed batch';
