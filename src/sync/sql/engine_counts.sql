-- What workers need to know: whether anything is set aside. The first row of any index.
SELECT EXISTS (SELECT 1 FROM sync_dead_letter)
