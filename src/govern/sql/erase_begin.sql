-- An erasure that begins. Parameters: subject, by whom, for what, what is searched for (sealed).
INSERT INTO Erasures (subject, erasure_state, requested_by, purpose, begun_at, sought, receipts)
VALUES (?, 'copies', ?, ?, UTC_TIMESTAMP(3), ?, '[]')
