-- The lock of loading into the selected database: 1 taken, 0 somebody else has it. Parameter:
-- seconds to wait.
SELECT GET_LOCK(CONCAT('aethermart_load.', DATABASE()), ?)
