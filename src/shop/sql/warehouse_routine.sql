-- Whether the procedure of a name is the warehouse's own; no row: there is none. Parameters: its comment,
-- its name. Index: the server's dictionary.
SELECT ROUTINE_COMMENT = ? FROM information_schema.ROUTINES
 WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME = ? AND ROUTINE_TYPE = 'PROCEDURE'
