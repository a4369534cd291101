-- Revenue of the top categories. Parameter: how many. Index: ix_category_parent.
SELECT category_name, currency, units, revenue
  FROM v_CategoryRevenue
 WHERE parent_id IS NULL
 ORDER BY revenue DESC, category_name
 LIMIT ?
