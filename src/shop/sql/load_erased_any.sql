-- Whether anybody was ever erased.
SELECT EXISTS (SELECT 1 FROM Erased_Keys)
