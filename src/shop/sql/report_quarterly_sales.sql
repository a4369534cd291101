-- Sales by quarter, the newest first. Parameter: how many. Index: ix_order_date.
SELECT CONCAT(sales_year, ' Q', sales_quarter), currency, orders, revenue, average_order
  FROM v_QuarterlySales
 ORDER BY sales_year DESC, sales_quarter DESC, currency
 LIMIT ?
