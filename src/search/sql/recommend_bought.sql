-- What a customer bought, the newest first, once each, archived orders too. Cancelled orders do not
-- count. Parameters: customer, first order that does not count, the same two again, limit. Indexes:
-- ix_order_customer, uq_item_order_product, ix_archive_customer, ix_item_archive_order.
SELECT x.product_id, MAX(x.order_id) AS newest
  FROM (SELECT i.product_id, o.order_id
          FROM Orders o
          JOIN Order_Items i ON i.order_id = o.order_id
         WHERE o.customer_id = ? AND o.order_status <> 'cancelled' AND o.order_id < ?
        UNION ALL
        SELECT i.product_id, o.order_id
          FROM TR_Orders_Archive o
          JOIN TR_Order_Items_Archive i ON i.order_id = o.order_id
         WHERE o.customer_id = ? AND o.order_status <> 'cancelled' AND o.order_id < ?) x
 GROUP BY x.product_id
 ORDER BY newest DESC, x.product_id
 LIMIT ?
