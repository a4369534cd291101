-- What the shop's procedure did, by the transaction that called it, and what copies are searched for (sealed): an
-- erasure that was complete is so no longer. Parameters: JSON, sealed, mark of the key, erasure.
UPDATE Erasures SET erasure_state = 'copies', receipts = ?, sought = ?, key_mark = ?, finished_at = NULL,
  certificate = NULL WHERE erasure_id = ?
