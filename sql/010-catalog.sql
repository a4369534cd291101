-- The catalogue: what the shop sells, in which category, from whom.
-- Prices are in the product's own currency; nothing here converts.

CREATE TABLE Categories (
  category_id    INT UNSIGNED NOT NULL AUTO_INCREMENT,
  parent_id      INT UNSIGNED NULL COMMENT 'NULL: a top category',
  category_name  VARCHAR(120) NOT NULL COMMENT 'what people read',
  category_slug  VARCHAR(160) NOT NULL COMMENT 'path of lower-case words, unique in the tree',
  PRIMARY KEY (category_id),
  UNIQUE KEY uq_category_slug (category_slug) COMMENT 'load: find a category by its path',
  KEY ix_category_parent (parent_id) COMMENT 'tree: the children of a category',
  CONSTRAINT fk_category_parent FOREIGN KEY (parent_id) REFERENCES Categories (category_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_category_name CHECK (category_name <> '')
) ENGINE=InnoDB COMMENT='Category tree; 015-category-tree.sql keeps it a tree';

CREATE TABLE Suppliers (
  supplier_id    INT UNSIGNED NOT NULL AUTO_INCREMENT,
  supplier_name  VARCHAR(160) NOT NULL COMMENT 'the brand as people write it',
  contact_email  VARCHAR(254) NULL COMMENT 'NULL: unknown or unusable',
  phone_number   VARCHAR(32) NULL,
  country        CHAR(2) NULL COMMENT 'ISO 3166-1 alpha-2',
  PRIMARY KEY (supplier_id),
  UNIQUE KEY uq_supplier_name (supplier_name) COMMENT 'load: one row a supplier, whatever the case',
  CONSTRAINT ck_supplier_name CHECK (supplier_name <> ''),
  CONSTRAINT ck_supplier_country CHECK (country IS NULL OR BINARY country REGEXP '^[A-Z]{2}$')
) ENGINE=InnoDB COMMENT='Brands and makers';

CREATE TABLE Products (
  product_id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  external_id          VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  product_kind         ENUM('physical','service') NOT NULL DEFAULT 'physical'
                       COMMENT 'a service has a row in Service_Details and no stock',
  supplier_id          INT UNSIGNED NOT NULL COMMENT 'brand or maker',
  category_id          INT UNSIGNED NOT NULL COMMENT 'the leaf; the path follows from the tree',
  product_name         VARCHAR(255) NOT NULL COMMENT 'what people read: the title',
  model_name           VARCHAR(160) NULL COMMENT 'the maker''s model',
  product_description  TEXT NULL COMMENT 'plain text',
  ean                  CHAR(13) NULL COMMENT 'NULL: none known, or of a service',
  price                DECIMAL(12,2) NOT NULL COMMENT 'of one piece, in currency',
  currency             CHAR(3) NOT NULL DEFAULT 'USD' COMMENT 'ISO 4217',
  stock_quantity       INT NULL COMMENT 'NULL: not kept in stock (services)',
  product_status       ENUM('active','retired') NOT NULL DEFAULT 'active'
                       COMMENT 'retired: no longer sold, kept for its orders',
  specifications       JSON NULL COMMENT 'object of typed specifications',
  image_url            VARCHAR(500) NULL,
  release_date         DATE NULL,
  current_rating       DECIMAL(3,2) NULL COMMENT 'average of its reviews, 1 to 5; kept for browsing',
  created_at           DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  updated_at           DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3)
                       COMMENT 'UTC; last load or edit that says so',
  PRIMARY KEY (product_id),
  UNIQUE KEY uq_product_external (external_id) COMMENT 'load: the product of a feed''s key',
  UNIQUE KEY uq_product_ean (ean) COMMENT 'load: no EAN twice',
  KEY ix_product_category (category_id, product_id)
    COMMENT 'browse a category; sync: products of a renamed category',
  KEY ix_product_supplier (supplier_id, product_id) COMMENT 'sync: products of a changed supplier',
  KEY ix_product_price (price) COMMENT 'browse by price',
  CONSTRAINT fk_product_supplier FOREIGN KEY (supplier_id) REFERENCES Suppliers (supplier_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_product_category FOREIGN KEY (category_id) REFERENCES Categories (category_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_product_name CHECK (product_name <> ''),
  CONSTRAINT ck_product_price CHECK (price >= 0),
  CONSTRAINT ck_product_stock CHECK (stock_quantity IS NULL OR stock_quantity >= 0),
  CONSTRAINT ck_product_stock_kind CHECK ((product_kind = 'service') = (stock_quantity IS NULL)),
  CONSTRAINT ck_product_currency CHECK (BINARY currency REGEXP '^[A-Z]{3}$'),
  CONSTRAINT ck_product_rating CHECK (current_rating IS NULL OR current_rating BETWEEN 1 AND 5)
) ENGINE=InnoDB COMMENT='Products and services';

CREATE TABLE Service_Details (
  product_id       BIGINT UNSIGNED NOT NULL COMMENT 'a product of the kind service',
  service_type     ENUM('consultation','installation','repair') NOT NULL,
  duration_minutes INT UNSIGNED NOT NULL COMMENT 'as planned, without travel',
  delivery_mode    ENUM('on_site','remote','in_store') NOT NULL COMMENT 'where it is done',
  lead_time_days   SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'from order to appointment; 0: same day',
  PRIMARY KEY (product_id),
  CONSTRAINT fk_service_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_service_duration CHECK (duration_minutes > 0)
) ENGINE=InnoDB COMMENT='What a service needs beyond a product';

-- Written by the triggers of 045-price-history.sql alone. Its foreign key cascades, unlike all
-- others: each product has rows here, so with RESTRICT none could be deleted or renumbered. Nothing
-- hangs on these rows, so it does not matter that cascades fire no trigger.
CREATE TABLE Product_Price_History (
  price_history_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  product_id        BIGINT UNSIGNED NOT NULL,
  old_price         DECIMAL(12,2) NULL COMMENT 'NULL: the first price',
  new_price         DECIMAL(12,2) NOT NULL,
  currency          CHAR(3) NOT NULL COMMENT 'of the new price; ISO 4217',
  changed_at        DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (price_history_id),
  KEY ix_price_history_product (product_id, changed_at) COMMENT 'history of one product',
  CONSTRAINT fk_price_history_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE CASCADE ON DELETE CASCADE
) ENGINE=InnoDB COMMENT='Every price that a product had';
