-- Seconds since a time. Parameter: "2026-11-27 16:00:00", UTC.
SELECT TIMESTAMPDIFF(SECOND, ?, UTC_TIMESTAMP())
