-- An order with its lines and events as one JSON text, from the archive too. Parameters: order, five
-- times. Indexes: primary keys of Orders and TR_Orders_Archive, uq_item_order_product,
-- ix_item_archive_order, ix_event_order.
SELECT JSON_OBJECT(
         'order_id', o.order_id, 'external_id', o.external_id, 'customer_id', o.customer_id,
         'order_date', o.order_date, 'status', o.order_status, 'payment', o.payment_status,
         'total_amount', o.total_amount, 'refunded_amount', o.refunded_amount,
         'currency', o.currency, 'channel', o.sales_channel, 'is_archived', o.is_archived = 1,
         'ship_to', IF(o.ship_street IS NULL, NULL, JSON_OBJECT(
           'street', o.ship_street, 'city', o.ship_city, 'state', o.ship_state, 'zip', o.ship_zip,
           'country', o.ship_country)),
         'lines', COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(
             'product_id', i.product_id, 'name', p.product_name, 'quantity', i.quantity,
             'price', i.price, 'returned', i.returned_quantity, 'service_date', i.service_date)
             ORDER BY i.order_item_id)
           FROM (SELECT order_item_id, product_id, quantity, price, returned_quantity, service_date
                   FROM Order_Items WHERE order_id = ?
                 UNION ALL
                 SELECT order_item_id, product_id, quantity, price, returned_quantity, service_date
                   FROM TR_Order_Items_Archive WHERE order_id = ?) i
           LEFT JOIN Products p ON p.product_id = i.product_id), JSON_ARRAY()),
         'events', COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(
             'at', e.happened_at, 'event', e.event_kind, 'before', e.value_before,
             'after', e.value_after) ORDER BY e.order_event_id)
           FROM Order_Events e WHERE e.order_id = ?), JSON_ARRAY()))
  FROM (SELECT order_id, external_id, customer_id, order_date, order_status, payment_status,
               total_amount, refunded_amount, currency, sales_channel, ship_street, ship_city,
               ship_state, ship_zip, ship_country, 0 AS is_archived
          FROM Orders WHERE order_id = ?
        UNION ALL
        SELECT order_id, external_id, customer_id, order_date, order_status, payment_status,
               total_amount, refunded_amount, currency, sales_channel, ship_street, ship_city,
               ship_state, ship_zip, ship_country, 1
          FROM TR_Orders_Archive WHERE order_id = ?) o
