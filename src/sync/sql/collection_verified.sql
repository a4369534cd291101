-- What a verification found. Parameters: result, collection. Index: primary key.
UPDATE sync_collection SET verified_at = CURRENT_TIMESTAMP, verified_result = ?
 WHERE collection = ?
