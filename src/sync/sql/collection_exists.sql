-- How many collections are installed. Parameter: collection, '' for all. No index: a row a
-- collection.
SELECT COUNT(*) FROM sync_collection WHERE ? IN ('', collection)
