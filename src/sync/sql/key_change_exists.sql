-- Whether documents of a queue still have to move. Parameter: queue. Index: ix_key_change_queue.
SELECT EXISTS (SELECT 1 FROM sync_key_change WHERE queue = ?)
