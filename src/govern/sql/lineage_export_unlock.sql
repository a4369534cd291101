-- Gives the lock of lineage_export_lock.sql back.
SELECT RELEASE_LOCK(CONCAT('aethermart lineage ', DATABASE()))
