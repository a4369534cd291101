-- Whether a worker holds the lease. One row.
SELECT COUNT(*) FROM sync_lease WHERE expires_at > SYSDATE(6)
