-- Lines of orders, live and archived, as a feed has them (load_format.md), for feed.c.
SELECT COALESCE(o.external_id, CONCAT('no:', o.order_id)), COALESCE(p.external_id, CONCAT('no:', p.product_id)),
       i.quantity, i.price
  FROM Order_Items i
  JOIN Orders o ON o.order_id = i.order_id
  JOIN Products p ON p.product_id = i.product_id
UNION ALL
SELECT COALESCE(o.external_id, CONCAT('no:', o.order_id)), COALESCE(p.external_id, CONCAT('no:', p.product_id)),
       i.quantity, i.price
  FROM TR_Order_Items_Archive i
  JOIN TR_Orders_Archive o ON o.order_id = i.order_id AND o.order_date = i.order_date
  JOIN Products p ON p.product_id = i.product_id
