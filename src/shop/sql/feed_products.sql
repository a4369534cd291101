-- Products as a feed has them (load_format.md), for feed.c. A row without a key of a feed gets one of its number.
WITH RECURSIVE tree (category_id, category_path) AS (
  SELECT category_id, CAST(category_name AS CHAR(1000)) FROM Categories WHERE parent_id IS NULL
  UNION ALL
  SELECT c.category_id, CONCAT(t.category_path, ' > ', c.category_name)
    FROM tree t JOIN Categories c ON c.parent_id = t.category_id)
SELECT COALESCE(p.external_id, CONCAT('no:', p.product_id)), p.product_kind, s.supplier_name, t.category_path,
       p.product_name, p.model_name, p.product_description, p.ean, p.price, p.currency, p.stock_quantity,
       p.product_status, p.specifications, p.image_url, p.release_date, d.service_type, d.duration_minutes,
       d.delivery_mode, d.lead_time_days
  FROM Products p
  JOIN Suppliers s ON s.supplier_id = p.supplier_id
  JOIN tree t ON t.category_id = p.category_id
  LEFT JOIN Service_Details d ON d.product_id = p.product_id
