-- What was installed here, to remove it. No index: a row a collection.
SELECT collection, queue FROM sync_collection ORDER BY collection
