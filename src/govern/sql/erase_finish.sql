-- Nothing is left: the proof stays, what was searched for goes. Parameters: certificate, erasure.
UPDATE Erasures SET erasure_state = 'done', finished_at = UTC_TIMESTAMP(3), sought = NULL, certificate = ?
 WHERE erasure_id = ?
