-- Reviews as a feed has them (load_format.md), for feed.c.
SELECT COALESCE(r.external_id, CONCAT('no:', r.review_id)), COALESCE(p.external_id, CONCAT('no:', p.product_id)),
       COALESCE(c.external_id, CONCAT('no:', c.customer_id)), r.rating, r.review_title, r.review_text, r.review_date
  FROM Reviews r
  JOIN Products p ON p.product_id = r.product_id
  JOIN Customers c ON c.customer_id = r.customer_id
 ORDER BY r.review_id
