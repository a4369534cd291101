-- Whether the session's key is the one that erasures used: the fingerprint of the empty text is there.
-- Index: primary key of Erased_Keys.
SELECT COUNT(*) FROM Erased_Keys
 WHERE fingerprint = SHA2(CONCAT(@erased_outer, UNHEX(SHA2(@erased_inner, 256))), 256)
