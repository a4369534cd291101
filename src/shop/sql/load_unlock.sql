-- Gives the lock of load_lock.sql back.
DO RELEASE_LOCK(CONCAT('aethermart_load.', DATABASE()))
