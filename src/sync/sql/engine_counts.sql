-- What workers need to know: whether anything is set aside, whether anybody reads the hand-off.
SELECT EXISTS (SELECT 1 FROM sync_dead_letter), EXISTS (SELECT 1 FROM sync_consumer)
