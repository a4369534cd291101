-- The number that the last row of this connection was given.
SELECT LAST_INSERT_ID()
