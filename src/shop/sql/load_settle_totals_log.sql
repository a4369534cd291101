-- Logs what load_settle_totals.sql is about to change. Parameters: load_id, the last one done, the
-- last one to do (order ids). Indexes: as there.
INSERT INTO data_quality_logs (load_id, quality_rule, severity, quality_action, entity, entity_key,
  column_name, value_before, value_after, file_name, line_number)
SELECT ?, 'order_total', 'warning', 'corrected', 'orders', COALESCE(o.external_id, o.order_id),
  'total_amount', o.total_amount, x.total, '(order lines)', 0
  FROM (SELECT i.order_id, LEAST(999999999999.99, SUM(i.quantity * i.price)) AS total
          FROM Staging_Touched t
          STRAIGHT_JOIN Order_Items i ON i.order_id = t.touched_id
         WHERE t.touched_kind = 'order' AND t.touched_id > ? AND t.touched_id <= ?
         GROUP BY i.order_id) x
  JOIN Orders o ON o.order_id = x.order_id
 WHERE o.total_amount <> x.total
