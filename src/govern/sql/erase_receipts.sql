-- What the shop's procedure did, by the transaction that called it. Parameters: JSON, erasure.
UPDATE Erasures SET receipts = ? WHERE erasure_id = ?
