-- Where rows of a feed wait, cleaned, until all files have been read: only then are they merged into
-- the shop's tables. Empty between loads. Common columns of each: where the row came from; `row_hash`
-- of its values (the same row twice); `given`, a bit for each column that the feed had; how many
-- values were corrected; the class that the row ends in (0 not yet, 1 new, 2 changed, 3 unchanged,
-- 4 rejected); the shop's row. References are kept as the feed's key and resolved to the shop's.

CREATE TABLE Staging_Files (
  file_no    SMALLINT UNSIGNED NOT NULL,
  file_name  VARCHAR(255) NOT NULL,
  PRIMARY KEY (file_no)
) ENGINE=InnoDB COMMENT='Files of the running load';

CREATE TABLE Staging_Quality (
  finding_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  stage_id        BIGINT UNSIGNED NOT NULL,
  quality_rule    VARCHAR(40) NOT NULL,
  severity        VARCHAR(10) NOT NULL,
  quality_action  VARCHAR(10) NOT NULL,
  entity          VARCHAR(40) NOT NULL,
  entity_key      VARCHAR(140) NOT NULL,
  column_name     VARCHAR(120) NULL,
  value_before    VARCHAR(1000) NULL,
  value_after     VARCHAR(1000) NULL,
  file_no         SMALLINT UNSIGNED NOT NULL,
  line_number     INT UNSIGNED NOT NULL,
  PRIMARY KEY (finding_id),
  KEY ix_staging_quality (stage_id) COMMENT 'load: findings of a range of rows'
) ENGINE=InnoDB COMMENT='Findings of the running load';

CREATE TABLE Staging_Touched (
  touched_kind  ENUM('product','order') NOT NULL,
  touched_id    BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (touched_kind, touched_id)
) ENGINE=InnoDB COMMENT='Products whose rating, orders whose total has to be computed again';

CREATE TABLE Staging_Suppliers (
  stage_id       BIGINT UNSIGNED NOT NULL,
  file_no        SMALLINT UNSIGNED NOT NULL,
  line_number    INT UNSIGNED NOT NULL,
  row_key        VARCHAR(140) NOT NULL,
  row_hash       BIGINT UNSIGNED NOT NULL,
  given          BIGINT UNSIGNED NOT NULL,
  corrections    SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class      TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id      BIGINT UNSIGNED NULL,
  supplier_name  VARCHAR(160) NOT NULL,
  contact_email  VARCHAR(254) NULL,
  phone_number   VARCHAR(32) NULL,
  country        CHAR(2) NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_supplier (supplier_name) COMMENT 'load: the same key twice'
) ENGINE=InnoDB COMMENT='Suppliers of the running load';

CREATE TABLE Staging_Products (
  stage_id             BIGINT UNSIGNED NOT NULL,
  file_no              SMALLINT UNSIGNED NOT NULL,
  line_number          INT UNSIGNED NOT NULL,
  row_key              VARCHAR(140) NOT NULL,
  row_hash             BIGINT UNSIGNED NOT NULL,
  given                BIGINT UNSIGNED NOT NULL,
  corrections          SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class            TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id            BIGINT UNSIGNED NULL,
  external_id          VARCHAR(64) NOT NULL,
  product_kind         VARCHAR(20) NOT NULL,
  supplier_ref         VARCHAR(160) NOT NULL,
  supplier_id          INT UNSIGNED NULL,
  category_ref         VARCHAR(160) NOT NULL,
  category_id          INT UNSIGNED NULL,
  product_name         VARCHAR(255) NOT NULL,
  model_name           VARCHAR(160) NULL,
  product_description  TEXT NULL,
  ean                  CHAR(13) NULL,
  price                DECIMAL(12,2) NOT NULL,
  currency             CHAR(3) NOT NULL,
  stock_quantity       INT NULL,
  product_status       VARCHAR(20) NOT NULL,
  specifications       LONGTEXT NULL,
  image_url            VARCHAR(500) NULL,
  release_date         DATE NULL,
  service_type         VARCHAR(20) NULL,
  duration_minutes     INT UNSIGNED NULL,
  delivery_mode        VARCHAR(20) NULL,
  lead_time_days       SMALLINT UNSIGNED NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_product (external_id) COMMENT 'load: the same key twice',
  KEY ix_staging_product_ean (ean) COMMENT 'load: the same EAN twice'
) ENGINE=InnoDB COMMENT='Products of the running load';

CREATE TABLE Staging_Customers (
  stage_id           BIGINT UNSIGNED NOT NULL,
  file_no            SMALLINT UNSIGNED NOT NULL,
  line_number        INT UNSIGNED NOT NULL,
  row_key            VARCHAR(140) NOT NULL,
  row_hash           BIGINT UNSIGNED NOT NULL,
  given              BIGINT UNSIGNED NOT NULL,
  corrections        SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class          TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id          BIGINT UNSIGNED NULL,
  external_id        VARCHAR(64) NOT NULL,
  first_name         VARCHAR(80) NOT NULL,
  last_name          VARCHAR(80) NOT NULL,
  email              VARCHAR(254) NULL,
  phone_number       VARCHAR(32) NULL,
  date_of_birth      DATE NULL,
  registration_date  DATETIME NOT NULL,
  customer_status    VARCHAR(20) NOT NULL,
  locale             VARCHAR(10) NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_customer (external_id) COMMENT 'load: the same key twice',
  KEY ix_staging_customer_email (email) COMMENT 'load: the same e-mail twice'
) ENGINE=InnoDB COMMENT='Customers of the running load';

CREATE TABLE Staging_Addresses (
  stage_id      BIGINT UNSIGNED NOT NULL,
  file_no       SMALLINT UNSIGNED NOT NULL,
  line_number   INT UNSIGNED NOT NULL,
  row_key       VARCHAR(140) NOT NULL,
  row_hash      BIGINT UNSIGNED NOT NULL,
  given         BIGINT UNSIGNED NOT NULL,
  corrections   SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class     TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id     BIGINT UNSIGNED NULL,
  external_id   VARCHAR(64) NOT NULL,
  customer_ref  VARCHAR(64) NOT NULL,
  customer_id   BIGINT UNSIGNED NULL,
  address_type  VARCHAR(20) NOT NULL,
  is_default    TINYINT(1) NOT NULL,
  street        VARCHAR(200) NOT NULL,
  city          VARCHAR(120) NOT NULL,
  state         VARCHAR(80) NULL,
  zip           VARCHAR(20) NULL,
  country       CHAR(2) NOT NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_address (external_id) COMMENT 'load: the same key twice'
) ENGINE=InnoDB COMMENT='Addresses of the running load';

CREATE TABLE Staging_Orders (
  stage_id      BIGINT UNSIGNED NOT NULL,
  file_no       SMALLINT UNSIGNED NOT NULL,
  line_number   INT UNSIGNED NOT NULL,
  row_key       VARCHAR(140) NOT NULL,
  row_hash      BIGINT UNSIGNED NOT NULL,
  given         BIGINT UNSIGNED NOT NULL,
  corrections   SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class     TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id     BIGINT UNSIGNED NULL,
  external_id   VARCHAR(64) NOT NULL,
  customer_ref  VARCHAR(64) NOT NULL,
  customer_id   BIGINT UNSIGNED NULL,
  address_ref   VARCHAR(64) NULL,
  address_id    BIGINT UNSIGNED NULL,
  order_date    DATETIME NOT NULL,
  order_status  VARCHAR(20) NOT NULL,
  total_amount  DECIMAL(14,2) NOT NULL,
  currency      CHAR(3) NOT NULL,
  lines_total   DECIMAL(14,2) NULL COMMENT 'sum of the lines, staged and in the shop; NULL: none',
  PRIMARY KEY (stage_id),
  KEY ix_staging_order (external_id) COMMENT 'load: the same key twice'
) ENGINE=InnoDB COMMENT='Orders of the running load';

CREATE TABLE Staging_Order_Items (
  stage_id     BIGINT UNSIGNED NOT NULL,
  file_no      SMALLINT UNSIGNED NOT NULL,
  line_number  INT UNSIGNED NOT NULL,
  row_key      VARCHAR(140) NOT NULL,
  row_hash     BIGINT UNSIGNED NOT NULL,
  given        BIGINT UNSIGNED NOT NULL,
  corrections  SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class    TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id    BIGINT UNSIGNED NULL,
  order_ref    VARCHAR(64) NOT NULL,
  order_id     BIGINT UNSIGNED NULL,
  product_ref  VARCHAR(64) NOT NULL,
  product_id   BIGINT UNSIGNED NULL,
  quantity     INT UNSIGNED NOT NULL,
  price        DECIMAL(12,2) NOT NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_order_item (order_ref, product_ref) COMMENT 'load: the same line twice; sum of the lines'
) ENGINE=InnoDB COMMENT='Order lines of the running load';

CREATE TABLE Staging_Reviews (
  stage_id      BIGINT UNSIGNED NOT NULL,
  file_no       SMALLINT UNSIGNED NOT NULL,
  line_number   INT UNSIGNED NOT NULL,
  row_key       VARCHAR(140) NOT NULL,
  row_hash      BIGINT UNSIGNED NOT NULL,
  given         BIGINT UNSIGNED NOT NULL,
  corrections   SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  row_class     TINYINT UNSIGNED NOT NULL DEFAULT 0,
  target_id     BIGINT UNSIGNED NULL,
  external_id   VARCHAR(64) NOT NULL,
  product_ref   VARCHAR(64) NOT NULL,
  product_id    BIGINT UNSIGNED NULL,
  customer_ref  VARCHAR(64) NOT NULL,
  customer_id   BIGINT UNSIGNED NULL,
  rating        TINYINT UNSIGNED NOT NULL,
  review_title  VARCHAR(200) NULL,
  review_text   TEXT NULL,
  review_date   DATETIME NOT NULL,
  PRIMARY KEY (stage_id),
  KEY ix_staging_review (external_id) COMMENT 'load: the same key twice'
) ENGINE=InnoDB COMMENT='Reviews of the running load';
