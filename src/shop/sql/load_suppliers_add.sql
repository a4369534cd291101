-- Suppliers that products bring along. Index: uq_supplier_name; all staged products.
INSERT INTO Suppliers (supplier_name)
SELECT DISTINCT s.supplier_ref
  FROM Staging_Products s
  LEFT JOIN Suppliers t ON t.supplier_name = s.supplier_ref
 WHERE t.supplier_id IS NULL
 ORDER BY 1
