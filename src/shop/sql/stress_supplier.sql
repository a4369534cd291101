-- The supplier of what a stress run makes; it stays.
INSERT IGNORE INTO Suppliers (supplier_name) VALUES ('Stress test')
