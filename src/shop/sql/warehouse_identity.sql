-- The database whose warehouse this is; empty: not told yet. Index: none, one row.
SELECT shop FROM Etl_Identity
