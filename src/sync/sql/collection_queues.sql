-- Queues of all installed collections, also of those whose mapping is gone. A few rows.
SELECT queue FROM sync_collection
