-- A load begins; its number is that of the row.
INSERT INTO Load_Runs () VALUES ()
