-- Forgets dead letters. Parameters: collection, '' for all; id, 0 for all. No index: they are few,
-- and a person asks.
DELETE FROM sync_dead_letter WHERE ? IN ('', collection) AND ? IN (0, id)
