-- What customers say about what they bought.

CREATE TABLE Reviews (
  review_id    BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  external_id  VARCHAR(64) NULL COMMENT 'key in the feed that it came from',
  product_id   BIGINT UNSIGNED NOT NULL,
  customer_id  BIGINT UNSIGNED NOT NULL,
  rating       TINYINT UNSIGNED NOT NULL COMMENT 'stars, 1 to 5',
  review_title VARCHAR(200) NULL,
  review_text  TEXT NULL COMMENT 'plain text',
  review_date  DATETIME NOT NULL COMMENT 'UTC',
  PRIMARY KEY (review_id),
  UNIQUE KEY uq_review_external (external_id) COMMENT 'load: the review of a feed''s key',
  KEY ix_review_product (product_id, review_date) COMMENT 'newest reviews of a product',
  KEY ix_review_customer (customer_id, review_date) COMMENT 'reviews by a customer',
  CONSTRAINT fk_review_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT fk_review_customer FOREIGN KEY (customer_id) REFERENCES Customers (customer_id)
    ON UPDATE RESTRICT ON DELETE RESTRICT,
  CONSTRAINT ck_review_rating CHECK (rating BETWEEN 1 AND 5)
) ENGINE=InnoDB COMMENT='Reviews by customers';
