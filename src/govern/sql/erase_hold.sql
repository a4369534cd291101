-- Data that has to be kept; somebody may be held for several reasons. Parameters: subject, reason, by whom, last
-- day or NULL.
INSERT INTO Legal_Holds (subject, reason, held_by, held_at, held_until) VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?)
