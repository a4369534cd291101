-- Ratings of touched products, from all their reviews. Parameters: the last one done, the last one
-- to do (product ids), both again. Indexes: primary keys of Staging_Touched and Products,
-- ix_review_product.
UPDATE Products p
  STRAIGHT_JOIN (SELECT t.touched_id, ROUND(AVG(r.rating), 2) AS rating
                   FROM Staging_Touched t
                   LEFT JOIN Reviews r ON r.product_id = t.touched_id
                  WHERE t.touched_kind = 'product' AND t.touched_id > ? AND t.touched_id <= ?
                  GROUP BY t.touched_id) x ON x.touched_id = p.product_id
   SET p.current_rating = x.rating
 WHERE p.product_id > ? AND p.product_id <= ? AND NOT (p.current_rating <=> x.rating)
