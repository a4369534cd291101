-- Nothing is left: the proof stays, what was searched for goes. No row: somebody else finished it, or
-- began it again with more to look for. Parameters: certificate, erasure, what was looked for.
UPDATE Erasures SET erasure_state = 'done', finished_at = UTC_TIMESTAMP(3), sought = NULL, certificate = ?
 WHERE erasure_id = ? AND erasure_state = 'copies' AND sought <=> ?
