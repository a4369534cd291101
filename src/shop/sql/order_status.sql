-- Moves an order on. Parameters: order, status.
CALL sp_SetOrderStatus(?, ?)
