-- Addresses as a feed has them (load_format.md), for feed.c.
SELECT COALESCE(a.external_id, CONCAT('no:', a.address_id)), COALESCE(c.external_id, CONCAT('no:', c.customer_id)),
       a.address_type, a.is_default, a.street, a.city, a.state, a.zip, a.country
  FROM Customer_Addresses a JOIN Customers c ON c.customer_id = a.customer_id
 ORDER BY a.address_id
