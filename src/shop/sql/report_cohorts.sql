-- Customers by the quarter of their first order, and how many of them ordered again. Parameter: how
-- many. Index: ix_order_customer.
SELECT CONCAT(YEAR(first_order), ' Q', QUARTER(first_order)) AS first_quarter, COUNT(*), SUM(orders > 1),
       ROUND(100 * SUM(orders > 1) / COUNT(*), 1)
  FROM (SELECT customer_id, MIN(order_date) AS first_order, COUNT(*) AS orders
          FROM v_Sales GROUP BY customer_id) x
 GROUP BY YEAR(first_order), QUARTER(first_order)
 ORDER BY YEAR(first_order) DESC, QUARTER(first_order) DESC
 LIMIT ?
