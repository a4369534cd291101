-- Cancels an order. Parameter: order.
CALL sp_CancelOrder(?)
