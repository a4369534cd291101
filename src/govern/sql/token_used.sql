-- A token was used: written once an hour. Parameter: id. Index: primary key.
UPDATE Access_Tokens SET last_used_at = UTC_TIMESTAMP()
 WHERE token_id = ? AND (last_used_at IS NULL OR last_used_at < UTC_TIMESTAMP() - INTERVAL 1 HOUR)
