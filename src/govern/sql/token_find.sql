-- A token by its open part. Parameter: id. Index: primary key.
SELECT token_hash, role_name, customer_id, rate_count, rate_seconds,
       token_name, revoked_at IS NOT NULL OR COALESCE(expires_at <= UTC_TIMESTAMP(3), FALSE) AS is_over,
       COALESCE(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), expires_at), 9223372036854775807) AS left_us,
       last_used_at IS NULL OR last_used_at < UTC_TIMESTAMP() - INTERVAL 1 HOUR AS is_use_news
  FROM Access_Tokens
 WHERE token_id = ?
