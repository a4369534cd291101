-- It is known no longer. Parameters: why, check. Index: ix_ack_check.
UPDATE Quality_Acks SET ended_at = UTC_TIMESTAMP(3), ended_because = ? WHERE check_name = ? AND ended_at IS NULL
