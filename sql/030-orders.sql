-- What was bought.

CREATE TABLE Orders (
  order_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  external_id   VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  customer_id   BIGINT UNSIGNED NOT NULL,
  address_id    BIGINT UNSIGNED NULL COMMENT 'shipped to; NULL: not known or a service',
  order_date    DATETIME NOT NULL COMMENT 'UTC',
  order_status  ENUM('pending','paid','shipped','delivered','cancelled','returned')
                NOT NULL DEFAULT 'pending',
  total_amount  DECIMAL(14,2) NOT NULL DEFAULT 0
                COMMENT 'what was charged: lines, shipping and discounts together',
  currency      CHAR(3) NOT NULL DEFAULT 'USD' COMMENT 'ISO 4217',
  PRIMARY KEY (order_id),
  UNIQUE KEY uq_order_external (external_id) COMMENT 'load: the order of a feed''s key',
  KEY ix_order_customer (customer_id, order_date) COMMENT 'a customer''s newest orders',
  KEY ix_order_date (order_date) COMMENT 'reports by month',
  KEY ix_order_address (address_id) COMMENT 'orders of an address',
  CONSTRAINT fk_order_customer FOREIGN KEY (customer_id) REFERENCES Customers (customer_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_order_address FOREIGN KEY (address_id) REFERENCES Customer_Addresses (address_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_order_total CHECK (total_amount >= 0),
  CONSTRAINT ck_order_currency CHECK (BINARY currency REGEXP '^[A-Z]{3}$')
) ENGINE=InnoDB COMMENT='Orders of customers';

CREATE TABLE Order_Items (
  order_item_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id       BIGINT UNSIGNED NOT NULL,
  product_id     BIGINT UNSIGNED NOT NULL,
  quantity       INT UNSIGNED NOT NULL COMMENT 'pieces',
  price          DECIMAL(12,2) NOT NULL COMMENT 'of one piece, when it was bought',
  PRIMARY KEY (order_item_id),
  UNIQUE KEY uq_item_order_product (order_id, product_id) COMMENT 'the lines of an order; one line a product',
  KEY ix_item_product (product_id, order_id) COMMENT 'orders that hold a product; sync: renamed products',
  CONSTRAINT fk_item_order FOREIGN KEY (order_id) REFERENCES Orders (order_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_item_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_item_quantity CHECK (quantity > 0),
  CONSTRAINT ck_item_price CHECK (price >= 0)
) ENGINE=InnoDB COMMENT='Lines of orders, with the price of that day';
