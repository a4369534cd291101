-- An erasure that begins. Parameters: subject, by whom, for what, the mark of the key.
INSERT INTO Erasures (subject, erasure_state, requested_by, purpose, begun_at, key_mark, receipts)
VALUES (?, 'copies', ?, ?, UTC_TIMESTAMP(3), ?, '[]')
