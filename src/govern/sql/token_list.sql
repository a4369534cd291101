-- All tokens, the newest first. A few hundred at most: no index.
SELECT token_id, role_name, token_name, person_name, COALESCE(customer_id, 0) AS customer_id, rate_count, rate_seconds,
       created_at, created_by, expires_at, revoked_at, last_used_at,
       COALESCE(expires_at <= UTC_TIMESTAMP(3), FALSE) AS is_expired
  FROM Access_Tokens
 ORDER BY created_at DESC, token_id
