-- The role of a token that is not revoked. Parameter: id. Index: primary key.
SELECT role_name, revoked_at IS NOT NULL AS is_revoked FROM Access_Tokens WHERE token_id = ? FOR UPDATE
