-- Adds to the totals of a collection. Parameters: applied, failed, collection. Index: primary key.
UPDATE sync_collection SET applied_total = applied_total + ?, failed_total = failed_total + ?
 WHERE collection = ?
