-- The server's time, to the millisecond.
SELECT CAST(UTC_TIMESTAMP(3) AS CHAR)
