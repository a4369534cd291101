-- The name of the account that asks.
SELECT SUBSTRING_INDEX(USER(), '@', 1)
