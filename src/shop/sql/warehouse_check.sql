-- Compares warehouse and shop; a row a subject.
CALL sp_CheckWarehouse()
