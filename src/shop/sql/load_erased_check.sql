-- How many erasures used another key than the one whose mark this is, and still keep somebody away. Parameter:
-- the fingerprint of the empty text.
SELECT COUNT(*) FROM Erasures e
 WHERE NOT e.key_mark <=> ? AND EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.erasure_id = e.erasure_id)
