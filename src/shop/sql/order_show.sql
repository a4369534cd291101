-- An order with its lines and events as one JSON text. Parameter: order. Indexes: primary key of
-- Orders, uq_item_order_product, ix_event_order.
SELECT JSON_OBJECT(
         'order_id', o.order_id, 'external_id', o.external_id, 'customer_id', o.customer_id,
         'order_date', o.order_date, 'status', o.order_status, 'payment', o.payment_status,
         'total_amount', o.total_amount, 'refunded_amount', o.refunded_amount,
         'currency', o.currency, 'channel', o.sales_channel,
         'ship_to', IF(o.ship_street IS NULL, NULL, JSON_OBJECT(
           'street', o.ship_street, 'city', o.ship_city, 'state', o.ship_state, 'zip', o.ship_zip,
           'country', o.ship_country)),
         'lines', COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(
             'product_id', i.product_id, 'name', p.product_name, 'quantity', i.quantity,
             'price', i.price, 'returned', i.returned_quantity, 'service_date', i.service_date)
             ORDER BY i.order_item_id)
           FROM Order_Items i JOIN Products p ON p.product_id = i.product_id
          WHERE i.order_id = o.order_id), JSON_ARRAY()),
         'events', COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(
             'at', e.happened_at, 'event', e.event_kind, 'before', e.value_before,
             'after', e.value_after) ORDER BY e.order_event_id)
           FROM Order_Events e WHERE e.order_id = o.order_id), JSON_ARRAY()))
  FROM Orders o
 WHERE o.order_id = ?
