-- Takes things of an order back. Parameters: order, lines (NULL: all that is left).
CALL sp_ReturnItems(?, ?)
