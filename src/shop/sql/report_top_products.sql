-- What brought most, currency by currency. Parameter: how many. Index: primary key of Products.
SELECT product_name, currency, product_id, units, revenue
  FROM v_TopProducts
 ORDER BY place, currency, product_id
 LIMIT ?
