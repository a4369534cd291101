-- Suppliers as a feed has them (load_format.md), for feed.c.
SELECT supplier_name, contact_email, phone_number, country FROM Suppliers ORDER BY supplier_id
