-- Places an order. Parameters: customer, address, lines, key, quoted prices, channel, cart.
CALL sp_PlaceOrderFrom(?, ?, ?, ?, ?, ?, ?)
