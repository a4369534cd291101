-- The catalogue: what the shop sells, in which category, from whom.
-- Prices are in the product's own currency; nothing here converts.

CREATE TABLE Categories (
  category_id    INT UNSIGNED NOT NULL AUTO_INCREMENT,
  parent_id      INT UNSIGNED NULL COMMENT 'NULL: a top category',
  category_name  VARCHAR(120) NOT NULL,
  category_slug  VARCHAR(160) NOT NULL COMMENT 'path of lower-case words, unique in the tree',
  PRIMARY KEY (category_id),
  UNIQUE KEY uq_category_slug (category_slug) COMMENT 'load: find a category by its path',
  KEY ix_category_parent (parent_id) COMMENT 'tree: the children of a category',
  CONSTRAINT fk_category_parent FOREIGN KEY (parent_id) REFERENCES Categories (category_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_category_not_own_parent CHECK (parent_id IS NULL OR parent_id <> category_id)
) ENGINE=InnoDB COMMENT='Category tree';

CREATE TABLE Suppliers (
  supplier_id    INT UNSIGNED NOT NULL AUTO_INCREMENT,
  supplier_name  VARCHAR(160) NOT NULL,
  contact_email  VARCHAR(254) NULL,
  phone_number   VARCHAR(32) NULL,
  country        CHAR(2) NULL COMMENT 'ISO 3166-1 alpha-2',
  PRIMARY KEY (supplier_id),
  UNIQUE KEY uq_supplier_name (supplier_name) COMMENT 'load: one row a supplier, whatever the case'
) ENGINE=InnoDB COMMENT='Brands and makers';

CREATE TABLE Products (
  product_id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  external_id          VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  product_kind         ENUM('physical','service') NOT NULL DEFAULT 'physical',
  supplier_id          INT UNSIGNED NOT NULL,
  category_id          INT UNSIGNED NOT NULL,
  product_name         VARCHAR(255) NOT NULL COMMENT 'what people read: the title',
  model_name           VARCHAR(160) NULL COMMENT 'the maker''s model',
  product_description  TEXT NULL,
  ean                  CHAR(13) NULL,
  price                DECIMAL(12,2) NOT NULL,
  currency             CHAR(3) NOT NULL DEFAULT 'USD' COMMENT 'ISO 4217',
  stock_quantity       INT NULL COMMENT 'NULL: not kept in stock (services)',
  product_status       ENUM('active','retired') NOT NULL DEFAULT 'active',
  specifications       JSON NULL COMMENT 'object of typed specifications',
  image_url            VARCHAR(500) NULL,
  release_date         DATE NULL,
  current_rating       DECIMAL(3,2) NULL COMMENT 'average of its reviews, 1 to 5',
  created_at           DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3),
  updated_at           DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3),
  PRIMARY KEY (product_id),
  UNIQUE KEY uq_product_external (external_id) COMMENT 'load: the product of a feed''s key',
  UNIQUE KEY uq_product_ean (ean) COMMENT 'load: no EAN twice',
  KEY ix_product_category (category_id, product_id) COMMENT 'browse a category; sync: products of a renamed category',
  KEY ix_product_supplier (supplier_id, product_id) COMMENT 'sync: products of a changed supplier',
  KEY ix_product_price (price) COMMENT 'browse by price',
  CONSTRAINT fk_product_supplier FOREIGN KEY (supplier_id) REFERENCES Suppliers (supplier_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_product_category FOREIGN KEY (category_id) REFERENCES Categories (category_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_product_price CHECK (price >= 0),
  CONSTRAINT ck_product_stock CHECK (stock_quantity IS NULL OR stock_quantity >= 0),
  CONSTRAINT ck_product_stock_kind CHECK ((product_kind = 'service') = (stock_quantity IS NULL)),
  CONSTRAINT ck_product_currency CHECK (currency REGEXP '^[A-Z]{3}$'),
  CONSTRAINT ck_product_rating CHECK (current_rating IS NULL OR current_rating BETWEEN 1 AND 5)
) ENGINE=InnoDB COMMENT='Products and services';

CREATE TABLE Service_Details (
  product_id       BIGINT UNSIGNED NOT NULL,
  service_type     ENUM('consultation','installation','repair') NOT NULL,
  duration_minutes INT UNSIGNED NOT NULL,
  delivery_mode    ENUM('on_site','remote','in_store') NOT NULL,
  lead_time_days   SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (product_id),
  CONSTRAINT fk_service_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_service_duration CHECK (duration_minutes > 0)
) ENGINE=InnoDB COMMENT='What a service needs beyond a product';

CREATE TABLE Product_Price_History (
  price_history_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  product_id        BIGINT UNSIGNED NOT NULL,
  old_price         DECIMAL(12,2) NULL,
  new_price         DECIMAL(12,2) NOT NULL,
  currency          CHAR(3) NOT NULL,
  changed_at        DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3),
  PRIMARY KEY (price_history_id),
  KEY ix_price_history_product (product_id, changed_at) COMMENT 'history of one product',
  CONSTRAINT fk_price_history_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT
) ENGINE=InnoDB COMMENT='Every price that a product had';
