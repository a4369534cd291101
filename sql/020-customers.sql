-- Customers and where they live.

CREATE TABLE Customers (
  customer_id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  external_id        VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  first_name         VARCHAR(80) NOT NULL COMMENT 'may be empty: some people have one name',
  last_name          VARCHAR(80) NOT NULL COMMENT 'may be empty: some people have one name',
  email              VARCHAR(254) NULL COMMENT 'NULL: unknown or unusable',
  phone_number       VARCHAR(32) NULL,
  date_of_birth      DATE NULL,
  registration_date  DATETIME NOT NULL COMMENT 'UTC',
  customer_status    ENUM('active','inactive') NOT NULL DEFAULT 'active'
                     COMMENT 'inactive: may not sign in',
  locale             VARCHAR(10) NULL COMMENT 'en-US',
  PRIMARY KEY (customer_id),
  UNIQUE KEY uq_customer_external (external_id) COMMENT 'load: the customer of a feed''s key',
  UNIQUE KEY uq_customer_email (email) COMMENT 'sign in; load: no e-mail twice',
  CONSTRAINT ck_customer_email CHECK (email IS NULL OR email LIKE '_%@_%')
) ENGINE=InnoDB COMMENT='People who buy';

CREATE TABLE Customer_Addresses (
  address_id     BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id    BIGINT UNSIGNED NOT NULL,
  address_type   ENUM('home','work','billing','shipping') NOT NULL DEFAULT 'home',
  is_default     TINYINT(1) NOT NULL DEFAULT 0
                 COMMENT '1: where orders go; of several the lowest address_id counts',
  street         VARCHAR(200) NOT NULL,
  city           VARCHAR(120) NOT NULL,
  state          VARCHAR(80) NULL COMMENT 'state, province or region; NULL where there is none',
  zip            VARCHAR(20) NULL COMMENT 'postal code',
  country        CHAR(2) NOT NULL COMMENT 'ISO 3166-1 alpha-2',
  PRIMARY KEY (address_id),
  KEY ix_address_customer (customer_id, is_default) COMMENT 'the addresses of a customer; the default one',
  CONSTRAINT fk_address_customer FOREIGN KEY (customer_id) REFERENCES Customers (customer_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_address_default CHECK (is_default IN (0, 1)),
  CONSTRAINT ck_address_country CHECK (BINARY country REGEXP '^[A-Z]{2}$')
) ENGINE=InnoDB COMMENT='Addresses, many a customer';
