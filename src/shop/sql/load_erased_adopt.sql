-- Erasures from before Erasures had the mark of their key: the first with a key left the mark among the
-- fingerprints. Parameters: the fingerprint of the empty text, twice.
UPDATE Erasures e JOIN Erased_Keys k ON k.fingerprint = ? AND k.erasure_id <= e.erasure_id
   SET e.key_mark = ?
 WHERE e.key_mark IS NULL
