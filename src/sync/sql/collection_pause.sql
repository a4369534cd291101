-- Pauses or resumes. Parameters: 1 or 0; collection, '' for all. No index: a row a collection.
UPDATE sync_collection SET is_paused = ? WHERE ? IN ('', collection)
