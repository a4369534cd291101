-- What the shop's procedure did, by the transaction that called it, and what copies are searched for (sealed): an
-- erasure that was complete is so no longer; what it proved stays. Parameters: JSON, sealed, mark of the key,
-- erasure.
UPDATE Erasures SET erasure_state = 'copies', receipts = ?, sought = ?, key_mark = ?, finished_at = NULL,
  earlier = IF(certificate IS NULL, earlier, JSON_ARRAY_APPEND(COALESCE(earlier, '[]'), '$', certificate)),
  certificate = NULL WHERE erasure_id = ?
