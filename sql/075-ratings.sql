-- Ratings are counted as reviews come, change and go; Products.current_rating follows. A review
-- without stars gets three, the middle: it is an opinion that says nothing either way.

-- Its foreign key cascades, like that of Product_Price_History: each reviewed product has a row, and
-- nothing hangs on it.
CREATE TABLE Product_Rating_Summary (
  product_id    BIGINT UNSIGNED NOT NULL,
  rating_count  INT NOT NULL DEFAULT 0,
  rating_sum    BIGINT NOT NULL DEFAULT 0 COMMENT 'of stars',
  stars_1       INT NOT NULL DEFAULT 0 COMMENT 'reviews with one star',
  stars_2       INT NOT NULL DEFAULT 0,
  stars_3       INT NOT NULL DEFAULT 0,
  stars_4       INT NOT NULL DEFAULT 0,
  stars_5       INT NOT NULL DEFAULT 0,
  PRIMARY KEY (product_id),
  CONSTRAINT fk_rating_product FOREIGN KEY (product_id) REFERENCES Products (product_id)
    ON UPDATE CASCADE ON DELETE CASCADE
) ENGINE=InnoDB COMMENT='Reviews of each product, counted; repeats Reviews so that browsing need not add up';

DELIMITER //

-- One review more (p_step 1) or less (-1).
CREATE PROCEDURE sp_CountRating(p_product_id BIGINT UNSIGNED, p_rating INT, p_step INT)
MODIFIES SQL DATA
BEGIN
  INSERT INTO Product_Rating_Summary
    (product_id, rating_count, rating_sum, stars_1, stars_2, stars_3, stars_4, stars_5)
  VALUES (p_product_id, p_step, p_step * p_rating, p_step * (p_rating = 1), p_step * (p_rating = 2),
          p_step * (p_rating = 3), p_step * (p_rating = 4), p_step * (p_rating = 5))
  ON DUPLICATE KEY UPDATE
    rating_count = rating_count + VALUE(rating_count), rating_sum = rating_sum + VALUE(rating_sum),
    stars_1 = stars_1 + VALUE(stars_1), stars_2 = stars_2 + VALUE(stars_2),
    stars_3 = stars_3 + VALUE(stars_3), stars_4 = stars_4 + VALUE(stars_4),
    stars_5 = stars_5 + VALUE(stars_5);
  UPDATE Products
     SET current_rating = (SELECT IF(rating_count > 0, ROUND(rating_sum / rating_count, 2), NULL)
                             FROM Product_Rating_Summary WHERE product_id = p_product_id)
   WHERE product_id = p_product_id;
END//

CREATE OR REPLACE TRIGGER TR_Default_Rating BEFORE INSERT ON Reviews FOR EACH ROW
BEGIN
  DECLARE v_locked INT;

  IF NEW.rating IS NULL THEN
    SET NEW.rating = 3;
  END IF;
  SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = NEW.product_id FOR UPDATE;
END//

CREATE OR REPLACE TRIGGER tr_review_came AFTER INSERT ON Reviews FOR EACH ROW
CALL sp_CountRating(NEW.product_id, NEW.rating, 1)//

CREATE OR REPLACE TRIGGER tr_review_changes BEFORE UPDATE ON Reviews FOR EACH ROW
BEGIN
  DECLARE v_locked INT;

  IF NEW.rating <> OLD.rating OR NEW.product_id <> OLD.product_id THEN
    SELECT COUNT(*) INTO v_locked FROM Products
     WHERE product_id = LEAST(OLD.product_id, NEW.product_id) FOR UPDATE;
    SELECT COUNT(*) INTO v_locked FROM Products
     WHERE product_id = GREATEST(OLD.product_id, NEW.product_id) FOR UPDATE;
  END IF;
END//

CREATE OR REPLACE TRIGGER tr_review_changed AFTER UPDATE ON Reviews FOR EACH ROW
IF NEW.rating <> OLD.rating OR NEW.product_id <> OLD.product_id THEN
  CALL sp_CountRating(OLD.product_id, OLD.rating, -1);
  CALL sp_CountRating(NEW.product_id, NEW.rating, 1);
END IF//

CREATE OR REPLACE TRIGGER tr_review_goes BEFORE DELETE ON Reviews FOR EACH ROW
BEGIN
  DECLARE v_locked INT;

  SELECT COUNT(*) INTO v_locked FROM Products WHERE product_id = OLD.product_id FOR UPDATE;
END//

CREATE OR REPLACE TRIGGER tr_review_went AFTER DELETE ON Reviews FOR EACH ROW
CALL sp_CountRating(OLD.product_id, OLD.rating, -1)//

CREATE OR REPLACE TRIGGER TR_Product_Price_History AFTER UPDATE ON Products FOR EACH ROW
IF NOT (NEW.price <=> OLD.price AND BINARY NEW.currency <=> BINARY OLD.currency) THEN
  INSERT INTO Product_Price_History (product_id, old_price, new_price, currency)
  VALUES (NEW.product_id, OLD.price, NEW.price, NEW.currency);
END IF//

DELIMITER ;

-- Its work is done by TR_Product_Price_History, for a moment by both: see the next statement.
DROP TRIGGER IF EXISTS tr_product_new_price;

-- Those that were there; the triggers may have counted some by now.
REPLACE INTO Product_Rating_Summary
  (product_id, rating_count, rating_sum, stars_1, stars_2, stars_3, stars_4, stars_5)
SELECT product_id, COUNT(*), SUM(rating), SUM(rating = 1), SUM(rating = 2), SUM(rating = 3),
       SUM(rating = 4), SUM(rating = 5)
  FROM Reviews GROUP BY product_id;
