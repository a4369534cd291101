-- What an order keeps beside its lines: where it was sent, how it came, what was paid and sent back;
-- what each line took from stock; what carts hold. Orders from feeds are history: their lines took
-- nothing, and their states are told by the feed.

ALTER TABLE Orders
  ADD COLUMN sales_channel VARCHAR(32) NOT NULL DEFAULT 'import'
    COMMENT 'web, app, store, agent or a name of your own; import: from a feed; direct: by SQL',
  ADD COLUMN payment_status ENUM('open','paid','part_refunded','refunded','void') NOT NULL DEFAULT 'open'
    COMMENT 'void: cancelled before it was paid',
  ADD COLUMN refunded_amount DECIMAL(14,2) NOT NULL DEFAULT 0 COMMENT 'given back of total_amount',
  ADD COLUMN ship_street VARCHAR(200) NULL
    COMMENT 'the address as it was when it was ordered; all NULL: history, or nothing to send',
  ADD COLUMN ship_city VARCHAR(120) NULL,
  ADD COLUMN ship_state VARCHAR(80) NULL,
  ADD COLUMN ship_zip VARCHAR(20) NULL,
  ADD COLUMN ship_country CHAR(2) NULL COMMENT 'ISO 3166-1 alpha-2';

ALTER TABLE Orders ALTER COLUMN sales_channel SET DEFAULT 'direct';

ALTER TABLE Orders ADD CONSTRAINT ck_order_channel CHECK (sales_channel <> '');

ALTER TABLE Orders ADD CONSTRAINT ck_order_refund CHECK (refunded_amount >= 0);

UPDATE Orders SET payment_status =
  CASE order_status WHEN 'pending' THEN 'open' WHEN 'cancelled' THEN 'void'
                    WHEN 'returned' THEN 'refunded' ELSE 'paid' END,
  refunded_amount = IF(order_status = 'returned', total_amount, 0);

-- Rows that are there get 0, which takes no time; new ones get NULL, which the trigger fills.
ALTER TABLE Order_Items
  ADD COLUMN stock_taken INT UNSIGNED NULL DEFAULT 0
    COMMENT 'pieces (of a service: places) that are given back when the line goes; 0: history, or settled',
  ADD COLUMN returned_quantity INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'of quantity, sent back or cancelled',
  ADD COLUMN service_date DATE NULL COMMENT 'of a service: the day that is booked';

ALTER TABLE Order_Items ALTER COLUMN stock_taken SET DEFAULT NULL;

ALTER TABLE Order_Items ADD CONSTRAINT ck_item_returned CHECK (returned_quantity <= quantity);

ALTER TABLE Order_Items ADD CONSTRAINT ck_item_taken CHECK (stock_taken <= quantity);

ALTER TABLE Products
  ADD COLUMN reserved_quantity INT NOT NULL DEFAULT 0
    COMMENT 'of stock_quantity, held by carts; what can be sold is the difference';

ALTER TABLE Products ADD CONSTRAINT ck_product_reserved CHECK (reserved_quantity >= 0);

ALTER TABLE Service_Details
  ADD COLUMN daily_capacity INT UNSIGNED NOT NULL DEFAULT 8
    COMMENT 'places a day; a day that is booked already keeps its own in Service_Days';

CREATE TABLE Service_Days (
  product_id    BIGINT UNSIGNED NOT NULL COMMENT 'a service',
  service_date  DATE NOT NULL,
  capacity      INT UNSIGNED NOT NULL COMMENT 'places of this day',
  booked        INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (product_id, service_date),
  CONSTRAINT fk_day_service FOREIGN KEY (product_id) REFERENCES Service_Details (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_day_booked CHECK (booked <= capacity)
) ENGINE=InnoDB COMMENT='What is booked of services, by day; a day without bookings has no row';

-- No foreign keys: what is written here stays, also when the order is archived or the product gone.
CREATE TABLE Stock_Movements (
  movement_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  product_id       BIGINT UNSIGNED NOT NULL,
  quantity         INT NOT NULL COMMENT 'what came to stock_quantity; negative: what left',
  movement_reason  ENUM('initial','order','return','restock','correction','removed') NOT NULL
                   COMMENT 'order: a line came, changed or went; correction: written by hand or by a load',
  order_id         BIGINT UNSIGNED NULL COMMENT 'of order and return',
  moved_at         DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (movement_id),
  KEY ix_movement_product (product_id, movement_id) COMMENT 'movements of a product; its stock is their sum'
) ENGINE=InnoDB COMMENT='Every change of a stock, never changed itself: the sum of a product is its stock';

CREATE TABLE Order_Requests (
  customer_id      BIGINT UNSIGNED NOT NULL,
  idempotency_key  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'chosen by who orders',
  request_hash     BINARY(32) NOT NULL COMMENT 'SHA-256 of what was asked for',
  order_id         BIGINT UNSIGNED NULL COMMENT 'NULL: within its transaction only',
  total_amount     DECIMAL(14,2) NULL COMMENT 'the first answer',
  currency         CHAR(3) NULL,
  requested_at     DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (customer_id, idempotency_key),
  KEY ix_request_age (requested_at) COMMENT 'forget old keys'
) ENGINE=InnoDB COMMENT='What was ordered under which key: asked again, the first answer is given';

CREATE TABLE Order_Events (
  order_event_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id        BIGINT UNSIGNED NOT NULL COMMENT 'no foreign key: events outlive the archiving of an order',
  event_kind      ENUM('placed','status','payment','address','lines','returned') NOT NULL,
  value_before    VARCHAR(40) NULL COMMENT 'status, payment state or total; NULL: none',
  value_after     VARCHAR(40) NULL,
  happened_at     DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (order_event_id),
  KEY ix_event_order (order_id, order_event_id) COMMENT 'history of an order'
) ENGINE=InnoDB COMMENT='What happened to orders that were placed here';

CREATE TABLE Carts (
  cart_id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id  BIGINT UNSIGNED NOT NULL,
  expires_at   DATETIME(3) NOT NULL COMMENT 'UTC; then what it holds is free again',
  PRIMARY KEY (cart_id),
  KEY ix_cart_customer (customer_id) COMMENT 'the carts of a customer',
  KEY ix_cart_expiry (expires_at) COMMENT 'carts that are over',
  CONSTRAINT fk_cart_customer FOREIGN KEY (customer_id) REFERENCES Customers (customer_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT
) ENGINE=InnoDB COMMENT='Carts that hold stock for a time';

CREATE TABLE Cart_Items (
  cart_id     BIGINT UNSIGNED NOT NULL,
  product_id  BIGINT UNSIGNED NOT NULL,
  quantity    INT UNSIGNED NOT NULL COMMENT 'pieces, part of Products.reserved_quantity',
  PRIMARY KEY (cart_id, product_id),
  KEY ix_cart_item_product (product_id) COMMENT 'carts that hold a product',
  CONSTRAINT fk_cart_item FOREIGN KEY (cart_id) REFERENCES Carts (cart_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_cart_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_cart_quantity CHECK (quantity > 0)
) ENGINE=InnoDB COMMENT='What carts hold';
