-- A token ends. Parameter: id. Index: primary key.
UPDATE Access_Tokens SET revoked_at = UTC_TIMESTAMP(3) WHERE token_id = ? AND revoked_at IS NULL
