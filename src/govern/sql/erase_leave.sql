-- It ends with something left: the proof says what, and what was searched for goes. Parameters: certificate,
-- erasure, what was looked for.
UPDATE Erasures SET erasure_state = 'left', finished_at = UTC_TIMESTAMP(3), sought = NULL, certificate = ?
 WHERE erasure_id = ? AND erasure_state = 'copies' AND sought <=> ?
