-- A new warehouse is that of the shop that made it. Parameter: the shop's database. Index: none, one row.
UPDATE Etl_Identity SET shop = ? WHERE shop = ''
