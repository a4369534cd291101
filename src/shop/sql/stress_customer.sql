-- A customer of a stress run. Parameters: key, number.
INSERT INTO Customers (first_name, external_id, last_name, registration_date)
VALUES ('Stress test', ?, ?, UTC_TIMESTAMP())
