-- A new token. Parameters: id, hash, role, name, person, customer, requests, seconds (both NULL: the usual rate), who
-- made it, seconds until it expires (NULL: never).
INSERT INTO Access_Tokens (token_id, token_hash, role_name, token_name, person_name, customer_id, rate_count,
                           rate_seconds, created_by, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3) + INTERVAL ? SECOND)
