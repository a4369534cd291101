-- What runs out, the least first. Parameter: how many. Index: primary key of Suppliers.
SELECT product_name, supplier_name, product_id, stock_quantity, reserved_quantity, available
  FROM v_LowStock
 ORDER BY available, product_id
 LIMIT ?
