-- Gives the lock of access_probe_lock.sql back.
SELECT RELEASE_LOCK(CONCAT('aethermart access probe ', DATABASE()))
