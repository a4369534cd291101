-- Customers as a feed has them (load_format.md), for feed.c.
SELECT COALESCE(external_id, CONCAT('no:', customer_id)), first_name, last_name, email, phone_number, date_of_birth,
       registration_date, customer_status, locale
  FROM Customers ORDER BY customer_id
