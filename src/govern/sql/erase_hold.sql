-- Data that has to be kept. Parameters: subject, reason, by whom, last day or NULL.
INSERT INTO Legal_Holds (subject, reason, held_by, held_at, held_until) VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?)
ON DUPLICATE KEY UPDATE reason = VALUES(reason), held_by = VALUES(held_by), held_at = VALUES(held_at),
  held_until = VALUES(held_until)
