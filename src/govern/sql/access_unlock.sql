-- Gives the lock of access_lock.sql back.
SELECT RELEASE_LOCK(CONCAT('aethermart access ', DATABASE()))
