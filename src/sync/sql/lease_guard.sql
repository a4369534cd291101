-- Inside a transaction: holds the lease's row so that its term cannot rise before the commit.
-- Parameters: holder, term. No row: superseded. Index: primary key.
SELECT term FROM sync_lease WHERE name = 'sync' AND holder = ? AND term = ? LOCK IN SHARE MODE
