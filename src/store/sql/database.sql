-- The selected database; NULL: none.
SELECT DATABASE()
