-- The key of the fingerprints, for load_erased.c. Parameters: its inner and its outer half.
SET @erased_inner = ?, @erased_outer = ?
