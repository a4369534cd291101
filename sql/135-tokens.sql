-- Tokens for the HTTP API: who may ask for what until when. `aethermart token` makes and revokes them.

CREATE TABLE Access_Tokens (
  token_id      CHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the open part of a token: am_ID_SECRET',
  token_hash    BINARY(32) NOT NULL COMMENT 'BLAKE2b of the whole token; the token itself stands nowhere',
  role_name     VARCHAR(64) NOT NULL COMMENT 'of rules/access.yaml; one that is gone there opens nothing',
  token_name    VARCHAR(64) NOT NULL COMMENT 'what it is for; may be empty',
  person_name   VARCHAR(64) NOT NULL COMMENT 'of rules/access.yaml, whose it is; empty: nobody''s',
  customer_id   BIGINT UNSIGNED NULL COMMENT 'the customer that it speaks for; no foreign key: may be gone',
  rate_count    INT UNSIGNED NULL COMMENT 'requests in rate_seconds; NULL: as http.rate says',
  rate_seconds  INT UNSIGNED NULL,
  created_at    DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  created_by    VARCHAR(160) NOT NULL COMMENT 'os:NAME',
  expires_at    DATETIME(3) NULL COMMENT 'UTC; NULL: never',
  revoked_at    DATETIME(3) NULL COMMENT 'UTC; NULL: it is not',
  last_used_at  DATETIME NULL COMMENT 'UTC, to the hour: written at most once in one',
  PRIMARY KEY (token_id)
) ENGINE=InnoDB COMMENT='Tokens of the HTTP API, by their hashes';
