-- The outside witness: what MariaDB's plugin server_audit saw people do, followed from its file by the worker, and
-- how much all that only grows takes. src/govern/rbac_audit.h and retention.h say more.

CREATE TABLE rbac_audit (
  rbac_id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  happened_at    DATETIME NOT NULL COMMENT 'UTC; the plugin writes whole seconds',
  user_name      VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'as it was told; of a refused login anything',
  host_name      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  role_name      VARCHAR(64) NOT NULL COMMENT 'of the account by rules/access.yaml when this was taken; empty: none',
  connection_id  BIGINT UNSIGNED NOT NULL,
  query_id       BIGINT UNSIGNED NOT NULL COMMENT 'of the connection''s statement; its tables have the same',
  action_name    VARCHAR(32) NOT NULL COMMENT 'CONNECT, QUERY, READ, …; UNREADABLE: a line that fits no form; GAP: lines went before they were taken',
  database_name  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  object_name    VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the table; empty: none',
  query_text     VARCHAR(1100) CHARACTER SET ascii NOT NULL COMMENT 'without literals; empty: not a statement',
  outcome        VARCHAR(32) NOT NULL COMMENT 'done, denied, failed NUMBER; empty: not told',
  times          BIGINT UNSIGNED NOT NULL COMMENT 'how often the same was seen in that second: triggers say it for each row',
  PRIMARY KEY (rbac_id),
  KEY ix_rbac_time (happened_at) COMMENT 'v_rbac_audit by time; purge by age'
) ENGINE=InnoDB COMMENT='What people did by SQL, as the server itself saw it';

CREATE TABLE rbac_audit_position (
  position_id  TINYINT NOT NULL COMMENT 'there is one',
  file_inode   BIGINT UNSIGNED NOT NULL COMMENT '0: nothing was taken yet',
  file_began   VARCHAR(17) NOT NULL COMMENT 'time of its first line: an inode may be used again',
  file_offset  BIGINT UNSIGNED NOT NULL COMMENT 'the next byte',
  PRIMARY KEY (position_id),
  CONSTRAINT ck_rbac_position CHECK (position_id = 1)
) ENGINE=InnoDB COMMENT='Where the follower of the server''s audit file is; moves with the rows';

INSERT INTO rbac_audit_position (position_id, file_inode, file_began, file_offset) VALUES (1, 0, '', 0);

CREATE VIEW v_rbac_audit AS
SELECT rbac_id, happened_at, CONCAT(user_name, '@', host_name) AS user_and_host, role_name, action_name,
       CONCAT_WS('.', NULLIF(database_name, ''), NULLIF(object_name, '')) AS object_name, query_text, outcome, times
  FROM rbac_audit;

CREATE TABLE Retention_Samples (
  store_name  VARCHAR(64) NOT NULL COMMENT 'a store of `retention show`',
  sampled_at  DATETIME NOT NULL COMMENT 'UTC',
  byte_count  BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (store_name, sampled_at),
  KEY ix_sample_time (sampled_at) COMMENT 'purge by age'
) ENGINE=InnoDB COMMENT='How large each store was when: `doctor` forecasts from it';
