-- Orders, live and archived, as a feed has them (load_format.md), for feed.c.
SELECT COALESCE(o.external_id, CONCAT('no:', o.order_id)), COALESCE(c.external_id, CONCAT('no:', c.customer_id)),
       COALESCE(a.external_id, CONCAT('no:', a.address_id)), o.order_date, o.order_status, o.total_amount, o.currency
  FROM Orders o
  JOIN Customers c ON c.customer_id = o.customer_id
  LEFT JOIN Customer_Addresses a ON a.address_id = o.address_id
UNION ALL
SELECT COALESCE(o.external_id, CONCAT('no:', o.order_id)), COALESCE(c.external_id, CONCAT('no:', c.customer_id)),
       COALESCE(a.external_id, CONCAT('no:', a.address_id)), o.order_date, o.order_status, o.total_amount, o.currency
  FROM TR_Orders_Archive o
  JOIN Customers c ON c.customer_id = o.customer_id
  LEFT JOIN Customer_Addresses a ON a.address_id = o.address_id
