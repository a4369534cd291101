-- Views and routines run with their owner's rights: what roles see through them is what they are. Here stands
-- what migrations made of each, so that `access check` tells one that was altered by hand.
--
-- And the types of columns in the dictionary are as long as they are, those of a long ENUM, too; and how accounts
-- log in is recorded beside them.

ALTER TABLE data_dictionary MODIFY column_type TEXT NOT NULL;

ALTER TABLE Access_Objects MODIFY found_hash CHAR(64) NULL
  COMMENT 'as the server tells them, of a view''s definition, of the plugins by which an account logs in';

CREATE TABLE Access_Definitions (
  object_kind      ENUM('view','procedure','function') NOT NULL,
  object_name      VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  definition_hash  CHAR(64) NOT NULL COMMENT 'SHA-256, hex, as a migration made it',
  before_hash      CHAR(64) NULL
                   COMMENT 'while migrations are applied: as it was before them; empty: it was not there',
  PRIMARY KEY (object_kind, object_name)
) ENGINE=InnoDB COMMENT='Views and routines as migrations made them; another one: changed by hand';

-- Those that run with their owner's rights, as they are now. Masked views, which `access apply` makes, are judged
-- by it. The name of the database is not part of a definition: a copy under another name has the same.
CREATE VIEW v_Access_Definitions AS
SELECT 'view' AS object_kind, v.TABLE_NAME AS object_name,
       SHA2(CONCAT_WS('|', REPLACE(v.VIEW_DEFINITION, CONCAT('`', DATABASE(), '`.'), ''), v.DEFINER, v.CHECK_OPTION,
                      v.ALGORITHM), 256) AS definition_hash
  FROM information_schema.VIEWS v
 WHERE v.TABLE_SCHEMA = DATABASE() AND v.SECURITY_TYPE = 'DEFINER'
   AND v.TABLE_NAME NOT IN (SELECT o.object_name FROM Access_Objects o WHERE o.object_kind = 'view')
UNION ALL
SELECT LOWER(r.ROUTINE_TYPE), r.ROUTINE_NAME,
       SHA2(CONCAT_WS('|', r.ROUTINE_DEFINITION, r.DEFINER, r.SQL_MODE, r.SQL_DATA_ACCESS, p.parameters), 256)
  FROM information_schema.ROUTINES r
  LEFT JOIN (SELECT SPECIFIC_NAME, ROUTINE_TYPE,
                    GROUP_CONCAT(CONCAT_WS(' ', PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER)
                                 ORDER BY ORDINAL_POSITION) AS parameters
               FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = DATABASE()
              GROUP BY SPECIFIC_NAME, ROUTINE_TYPE) p
    ON p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ROUTINE_TYPE = r.ROUTINE_TYPE
 WHERE r.ROUTINE_SCHEMA = DATABASE() AND r.ROUTINE_TYPE IN ('PROCEDURE', 'FUNCTION')
   AND r.SECURITY_TYPE = 'DEFINER';
