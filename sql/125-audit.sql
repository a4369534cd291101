-- The audit: who did what to whose data, under which role, for which purpose, when. Events are a chain: each
-- has the hash of the one before it. What is personal stands apart, in Audit_Details, behind a salted hash, so
-- that it can be erased and the chain holds. src/govern/audit.h says what is hashed and who may delete.

CREATE TABLE Audit_Events (
  audit_id       BIGINT UNSIGNED NOT NULL COMMENT 'without gaps',
  happened_at    DATETIME(6) NOT NULL COMMENT 'UTC',
  actor          VARCHAR(160) NOT NULL COMMENT 'who did it: os:NAME, token:NAME',
  role_name      VARCHAR(64) NOT NULL COMMENT 'under which role; empty: none',
  action_name    VARCHAR(64) NOT NULL COMMENT 'privacy.show',
  object_name    VARCHAR(190) NOT NULL COMMENT 'what it was done to; empty: nothing by name',
  purpose        VARCHAR(190) NOT NULL COMMENT 'for what; empty: not said',
  row_count      BIGINT UNSIGNED NOT NULL COMMENT 'how many rows were seen or changed',
  outcome        VARCHAR(32) NOT NULL COMMENT 'done, or the class of the error',
  details_hash   CHAR(64) NOT NULL COMMENT 'SHA-256 of salt, subject and details, hex; empty: there are none',
  previous_hash  CHAR(64) NOT NULL COMMENT 'of the event before',
  event_hash     CHAR(64) NOT NULL COMMENT 'SHA-256 of all before, hex',
  PRIMARY KEY (audit_id),
  KEY ix_audit_time (happened_at) COMMENT 'audit list; purge by age'
) ENGINE=InnoDB COMMENT='What was done with the data, a chain of hashes: `audit verify`';

CREATE TABLE Audit_Details (
  audit_id  BIGINT UNSIGNED NOT NULL,
  subject   VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'whose data it was; empty: nobody''s',
  details   TEXT NOT NULL COMMENT 'JSON',
  salt      BINARY(16) NOT NULL COMMENT 'erased with what it hides',
  PRIMARY KEY (audit_id),
  KEY ix_audit_subject (subject, audit_id) COMMENT 'audit who-saw; erasure'
) ENGINE=InnoDB COMMENT='What is personal of an event; erased with the person';

CREATE TABLE Audit_Head (
  head_id     TINYINT NOT NULL COMMENT 'there is one',
  audit_id    BIGINT UNSIGNED NOT NULL COMMENT 'the last event; locked by who appends',
  event_hash  CHAR(64) NOT NULL,
  PRIMARY KEY (head_id),
  CONSTRAINT ck_audit_head CHECK (head_id = 1)
) ENGINE=InnoDB COMMENT='Where the chain ends';

INSERT INTO Audit_Head (head_id, audit_id, event_hash) VALUES (1, 0, REPEAT('0', 64));

CREATE TABLE Audit_Checkpoints (
  audit_id    BIGINT UNSIGNED NOT NULL COMMENT 'the last event that was purged',
  event_hash  CHAR(64) NOT NULL COMMENT 'its hash: the chain goes on from it',
  made_at     DATETIME(6) NOT NULL COMMENT 'UTC',
  signature   CHAR(128) NOT NULL COMMENT 'Ed25519, hex, by the key in the run-time folder',
  PRIMARY KEY (audit_id)
) ENGINE=InnoDB COMMENT='What a purge leaves of the events that it deleted';

DELIMITER //

CREATE TRIGGER tr_audit_kept BEFORE UPDATE ON Audit_Events FOR EACH ROW
SIGNAL SQLSTATE '45020' SET MESSAGE_TEXT = 'events of the audit are never changed'//

-- A purge has written its checkpoint before.
CREATE TRIGGER tr_audit_stays BEFORE DELETE ON Audit_Events FOR EACH ROW
IF NOT EXISTS (SELECT 1 FROM Audit_Checkpoints WHERE audit_id >= OLD.audit_id) THEN
  SIGNAL SQLSTATE '45020' SET MESSAGE_TEXT = 'events of the audit go by `audit purge` alone';
END IF//

CREATE TRIGGER tr_audit_details_kept BEFORE UPDATE ON Audit_Details FOR EACH ROW
SIGNAL SQLSTATE '45020' SET MESSAGE_TEXT = 'details of the audit are erased or kept, never changed'//

DELIMITER ;
