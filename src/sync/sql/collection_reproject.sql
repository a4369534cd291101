-- Changes may have been missed. Parameter: collection. Index: primary key.
UPDATE sync_collection SET state = 'reproject' WHERE collection = ? AND state <> 'reproject'
