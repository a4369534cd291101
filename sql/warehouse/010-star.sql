-- The warehouse: a star of what was sold, what is in stock and what was said about it, in a database of its
-- own beside the shop's. Nothing here is a source: all but the former names and categories of products can be
-- made anew from the shop. Rules for these files stand in ../README.md; `aethermart_db` is the shop's database,
-- whatever its name is. Facts have no foreign keys: `aethermart warehouse check` compares them with the shop.

CREATE TABLE Dim_Date (
  date_key         INT UNSIGNED NOT NULL COMMENT '20240131',
  calendar_date    DATE NOT NULL,
  calendar_year    SMALLINT UNSIGNED NOT NULL,
  quarter_number   TINYINT UNSIGNED NOT NULL,
  month_number     TINYINT UNSIGNED NOT NULL,
  month_name       VARCHAR(9) NOT NULL,
  iso_year         SMALLINT UNSIGNED NOT NULL COMMENT 'of the week',
  iso_week         TINYINT UNSIGNED NOT NULL,
  day_of_month     TINYINT UNSIGNED NOT NULL,
  day_of_week      TINYINT UNSIGNED NOT NULL COMMENT '1: Monday',
  day_name         VARCHAR(9) NOT NULL,
  is_weekend       TINYINT(1) NOT NULL,
  PRIMARY KEY (date_key),
  UNIQUE KEY uq_date (calendar_date) COMMENT 'a day of that date',
  KEY ix_date_year (calendar_year, quarter_number) COMMENT 'the days of a quarter'
) ENGINE=InnoDB COMMENT='Days, UTC; whole years, made as facts need them';

CREATE TABLE Dim_Category (
  category_id    INT UNSIGNED NOT NULL COMMENT 'as in the shop',
  parent_id      INT UNSIGNED NULL COMMENT 'NULL: a top category',
  category_name  VARCHAR(120) NOT NULL,
  level_1        VARCHAR(120) NOT NULL COMMENT 'the top category above it, or itself',
  level_2        VARCHAR(120) NULL,
  level_3        VARCHAR(120) NULL,
  category_path  VARCHAR(1000) NOT NULL COMMENT 'names from the top, with " > " between',
  depth          TINYINT UNSIGNED NOT NULL COMMENT '1: a top category',
  PRIMARY KEY (category_id),
  KEY ix_category_top (level_1) COMMENT 'all below a top category'
) ENGINE=InnoDB COMMENT='Categories as they are now; one that the shop dropped stays';

CREATE TABLE Dim_Supplier (
  supplier_id    INT UNSIGNED NOT NULL COMMENT 'as in the shop',
  supplier_name  VARCHAR(160) NOT NULL,
  country        CHAR(2) NULL,
  PRIMARY KEY (supplier_id)
) ENGINE=InnoDB COMMENT='Brands and makers as they are now; one that the shop dropped stays';

CREATE TABLE Dim_Product (
  product_key       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'of a product as it was for a time',
  product_id        BIGINT UNSIGNED NOT NULL COMMENT 'as in the shop',
  valid_from        DATETIME(3) NOT NULL COMMENT 'UTC; of the first: 1000-01-01',
  valid_to          DATETIME(3) NOT NULL COMMENT 'UTC, not included; of the last: 9999-12-31',
  is_current        TINYINT(1) NOT NULL COMMENT '0 also for the last of a product that the shop dropped',
  product_name      VARCHAR(255) NOT NULL,
  product_kind      VARCHAR(16) NOT NULL,
  product_status    VARCHAR(16) NOT NULL,
  category_id       INT UNSIGNED NOT NULL,
  supplier_id       INT UNSIGNED NOT NULL,
  price             DECIMAL(12,2) NOT NULL COMMENT 'of one piece, in that time',
  currency          CHAR(3) NOT NULL,
  price_history_id  BIGINT UNSIGNED NOT NULL COMMENT 'newest of the history of prices that is in it; 0: none',
  PRIMARY KEY (product_key),
  UNIQUE KEY uq_product_version (product_id, valid_from) COMMENT 'a product as it was at a time'
) ENGINE=InnoDB COMMENT='Products with their history: a row for each time between two changes';

CREATE TABLE Dim_Customer (
  customer_key      BIGINT UNSIGNED NOT NULL COMMENT 'random: says nothing about who it is, nor when they came',
  country           CHAR(2) NULL COMMENT 'of the default address',
  state             VARCHAR(80) NULL,
  birth_decade      SMALLINT UNSIGNED NULL COMMENT '1980; NULL: not known',
  registered_month  INT UNSIGNED NULL COMMENT '202401',
  customer_status   VARCHAR(16) NULL,
  PRIMARY KEY (customer_key)
) ENGINE=InnoDB COMMENT='Customers without a name: what they have in common with many';

-- Facts repeat what the shop says; what follows from it is computed here, once.
CREATE TABLE Fact_Orders (
  order_id         BIGINT UNSIGNED NOT NULL COMMENT 'as in the shop',
  ordered_at       DATETIME NOT NULL COMMENT 'UTC',
  customer_key     BIGINT UNSIGNED NULL COMMENT 'NULL: one whom the shop did not have when it was read',
  order_status     VARCHAR(16) NOT NULL,
  payment_status   VARCHAR(16) NOT NULL,
  sales_channel    VARCHAR(32) NOT NULL,
  ship_country     CHAR(2) NULL COMMENT 'as the address was when it was last looked at',
  currency         CHAR(3) NOT NULL,
  total_amount     DECIMAL(14,2) NOT NULL COMMENT 'what was charged: lines, shipping and discounts',
  refunded_amount  DECIMAL(14,2) NOT NULL COMMENT 'given back of it',
  date_key         INT UNSIGNED AS (YEAR(ordered_at) * 10000 + MONTH(ordered_at) * 100 + DAYOFMONTH(ordered_at)) STORED,
  is_sale          TINYINT(1) AS (order_status NOT IN ('pending', 'cancelled')) STORED,
  revenue          DECIMAL(14,2) AS (IF(order_status IN ('pending', 'cancelled', 'returned'), 0,
                                        total_amount - refunded_amount)) STORED COMMENT 'charged less given back',
  PRIMARY KEY (order_id),
  KEY ix_orders_date (date_key, currency) COMMENT 'revenue by time',
  KEY ix_orders_customer (customer_key, date_key) COMMENT 'orders of a customer'
) ENGINE=InnoDB COMMENT='Orders, live and archived: what was charged';

CREATE TABLE Fact_Sales (
  order_item_id      BIGINT UNSIGNED NOT NULL COMMENT 'as in the shop',
  order_id           BIGINT UNSIGNED NOT NULL,
  ordered_at         DATETIME NOT NULL COMMENT 'UTC; tells which time of the product',
  product_id         BIGINT UNSIGNED NOT NULL,
  product_key        BIGINT UNSIGNED NOT NULL COMMENT 'the product as it was then',
  category_id        INT UNSIGNED NOT NULL COMMENT 'of the product as it was then',
  supplier_id        INT UNSIGNED NOT NULL COMMENT 'of the product as it was then',
  customer_key       BIGINT UNSIGNED NULL,
  order_status       VARCHAR(16) NOT NULL,
  currency           CHAR(3) NOT NULL,
  quantity           INT NOT NULL,
  sent_back          INT NOT NULL COMMENT 'of quantity, line by line',
  unit_price         DECIMAL(12,2) NOT NULL,
  date_key           INT UNSIGNED AS (YEAR(ordered_at) * 10000 + MONTH(ordered_at) * 100 + DAYOFMONTH(ordered_at)) STORED,
  is_sale            TINYINT(1) AS (order_status NOT IN ('pending', 'cancelled')) STORED,
  amount             DECIMAL(22,2) AS (quantity * unit_price) STORED,
  returned_quantity  INT AS (IF(order_status = 'returned', quantity, sent_back)) STORED,
  net_quantity       INT AS (IF(order_status IN ('pending', 'cancelled', 'returned'), 0,
                                         quantity - sent_back)) STORED COMMENT 'sold and stayed sold',
  net_amount         DECIMAL(22,2) AS (IF(order_status IN ('pending', 'cancelled', 'returned'), 0,
                                          (quantity - sent_back) * unit_price)) STORED,
  PRIMARY KEY (order_item_id),
  KEY ix_sales_order (order_id) COMMENT 'load: the lines of an order',
  KEY ix_sales_date (date_key, currency) COMMENT 'sales by time',
  KEY ix_sales_product (product_id, ordered_at) COMMENT 'sales of a product; load: a version that came late',
  KEY ix_sales_category (category_id, date_key) COMMENT 'sales of a category by time',
  KEY ix_sales_supplier (supplier_id, date_key) COMMENT 'sales of a supplier by time'
) ENGINE=InnoDB COMMENT='Lines of orders, live and archived';

CREATE TABLE Fact_Inventory (
  product_id   BIGINT UNSIGNED NOT NULL,
  date_key     INT UNSIGNED NOT NULL,
  opened       INT NOT NULL DEFAULT 0 COMMENT 'first stock of a new product',
  sold         INT NOT NULL DEFAULT 0 COMMENT 'what orders took and gave back; negative: more was taken',
  returned     INT NOT NULL DEFAULT 0,
  restocked    INT NOT NULL DEFAULT 0,
  corrected    INT NOT NULL DEFAULT 0 COMMENT 'written by hand or by a load, and what went with its product',
  net_change   INT NOT NULL COMMENT 'all of them; their sum up to a day is the stock of its end',
  movements    INT UNSIGNED NOT NULL,
  PRIMARY KEY (product_id, date_key),
  KEY ix_inventory_date (date_key) COMMENT 'movements of all products by time'
) ENGINE=InnoDB COMMENT='How the stock of a product changed in a day; a day without change has no row';

CREATE TABLE Fact_Reviews (
  review_id     BIGINT UNSIGNED NOT NULL COMMENT 'as in the shop',
  product_id    BIGINT UNSIGNED NOT NULL,
  product_key   BIGINT UNSIGNED NOT NULL COMMENT 'the product as it was then',
  customer_key  BIGINT UNSIGNED NULL,
  reviewed_at   DATETIME NOT NULL COMMENT 'UTC',
  rating        TINYINT UNSIGNED NOT NULL,
  date_key      INT UNSIGNED AS (YEAR(reviewed_at) * 10000 + MONTH(reviewed_at) * 100 + DAYOFMONTH(reviewed_at)) STORED,
  PRIMARY KEY (review_id),
  KEY ix_reviews_product (product_id, reviewed_at) COMMENT 'reviews of a product; load: a version that came late',
  KEY ix_reviews_date (date_key) COMMENT 'reviews by time'
) ENGINE=InnoDB COMMENT='Reviews: their stars';

-- Closing stock of each day on which something moved, with the product as it was at the end of that day.
CREATE VIEW v_Inventory_Daily AS
SELECT f.product_id, v.product_key, f.date_key, f.opened, f.sold, f.returned, f.restocked, f.corrected, f.net_change,
       SUM(f.net_change) OVER (PARTITION BY f.product_id ORDER BY f.date_key) AS closing_quantity
  FROM Fact_Inventory f
  JOIN Dim_Date d ON d.date_key = f.date_key
  JOIN Dim_Product v ON v.product_id = f.product_id AND v.valid_from < d.calendar_date + INTERVAL 1 DAY
                    AND v.valid_to >= d.calendar_date + INTERVAL 1 DAY;

-- How the warehouse is kept. Who is who stands here alone: without this table facts belong to nobody.
CREATE TABLE Etl_Customers (
  customer_id   BIGINT UNSIGNED NOT NULL COMMENT 'as in the shop',
  customer_key  BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (customer_id),
  UNIQUE KEY uq_customer_key (customer_key) COMMENT 'no two with one key'
) ENGINE=InnoDB COMMENT='Which customer has which key; personal';

CREATE TABLE Etl_Products (
  product_id   BIGINT UNSIGNED NOT NULL,
  movement_id  BIGINT UNSIGNED NOT NULL COMMENT 'the last that is in Fact_Inventory: a product''s come in order',
  PRIMARY KEY (product_id)
) ENGINE=InnoDB COMMENT='How far the movements of a product were read';

CREATE TABLE Etl_State (
  collection    VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'of the hand-off',
  scan_after    BIGINT UNSIGNED NULL COMMENT 'all are being read, and up to this one they were; NULL: none is',
  mapping_hash  CHAR(64) CHARACTER SET ascii NOT NULL DEFAULT '' COMMENT 'under which its changes are told',
  PRIMARY KEY (collection)
) ENGINE=InnoDB COMMENT='How far all of the shop was read';

CREATE TABLE Etl_Identity (
  consumer  VARCHAR(64) COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'its name in the hand-off',
  shop      VARCHAR(64) NOT NULL COMMENT 'the database whose warehouse this is; empty: not told yet',
  PRIMARY KEY (consumer)
) ENGINE=InnoDB COMMENT='One row';

CREATE TABLE Etl_Runs (
  run_id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  started_at   DATETIME(3) NOT NULL COMMENT 'UTC',
  finished_at  DATETIME(3) NULL COMMENT 'NULL: it runs, or did not come to its end',
  customers    BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'that were looked at',
  products     BIGINT UNSIGNED NOT NULL DEFAULT 0,
  orders       BIGINT UNSIGNED NOT NULL DEFAULT 0,
  reviews      BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (run_id)
) ENGINE=InnoDB COMMENT='Refreshes';

-- Of products that were gone before anybody looked.
INSERT INTO Dim_Category VALUES (0, NULL, 'unknown', 'unknown', NULL, NULL, 'unknown', 1);

INSERT INTO Dim_Supplier VALUES (0, 'unknown', NULL);

INSERT INTO Etl_Identity VALUES (CONCAT('warehouse-', REPLACE(UUID(), '-', '')), '');

INSERT INTO Etl_State (collection, scan_after)
VALUES ('customer_profiles', 0), ('product_catalog', 0), ('orders', 0), ('reviews', 0);
