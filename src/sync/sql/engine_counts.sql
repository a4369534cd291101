-- What workers need to know: whether anything is set aside.
SELECT EXISTS (SELECT 1 FROM sync_dead_letter)
