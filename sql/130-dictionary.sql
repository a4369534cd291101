-- What each column is, whose data it is, where it goes and who reads it: written by `access apply` from the
-- schema, mapping/*.yaml and rules/access.yaml, never by hand.

CREATE TABLE data_dictionary (
  table_name       VARCHAR(64) NOT NULL,
  column_name      VARCHAR(64) NOT NULL,
  position         INT UNSIGNED NOT NULL COMMENT 'in the table, from 1',
  column_type      VARCHAR(255) NOT NULL,
  is_nullable      TINYINT(1) NOT NULL,
  meaning          VARCHAR(1024) NOT NULL COMMENT 'the comment of the column; empty: its name says it',
  pii_class        VARCHAR(32) NULL COMMENT 'open: not personal; NULL: nobody has classed it',
  document_fields  TEXT NOT NULL COMMENT 'of which it is a part: product_catalog.price, …',
  readers          TEXT NOT NULL COMMENT 'roles that read it, and how: marketing_analyst partial, …',
  refreshed_at     DATETIME(3) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (table_name, column_name)
) ENGINE=InnoDB COMMENT='Every column of the shop, for people who look for one';
