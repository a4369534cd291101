-- Whether a collection is paused. Parameter: collection. Index: primary key.
SELECT is_paused FROM sync_collection WHERE collection = ?
