-- What is known of a check. Parameter: check. Index: ix_ack_check.
SELECT ack_id, check_outcome, weight FROM Quality_Acks
 WHERE check_name = ? AND ended_at IS NULL AND (until_day IS NULL OR until_day >= UTC_DATE())
 ORDER BY ack_id DESC LIMIT 1
