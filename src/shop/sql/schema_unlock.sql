-- Gives the lock of schema_lock.sql back. Parameter: name of the lock.
SELECT RELEASE_LOCK(?)
