-- Whether the shop has rows, whether a load was ever completed, and whether the one that began last
-- was not; and a text that names this database and no other. A look at the first row of each table.
SELECT EXISTS (SELECT 1 FROM Categories) OR EXISTS (SELECT 1 FROM Suppliers)
       OR EXISTS (SELECT 1 FROM Products) OR EXISTS (SELECT 1 FROM Customers)
       OR EXISTS (SELECT 1 FROM Orders) OR EXISTS (SELECT 1 FROM Reviews),
       EXISTS (SELECT 1 FROM Load_Runs WHERE run_status = 'done'),
       COALESCE((SELECT run_status <> 'done' FROM Load_Runs ORDER BY load_id DESC LIMIT 1), 0),
       CONCAT(DATABASE(), ' made ', COALESCE((SELECT MIN(started_at) FROM schema_migrations), '?'))
