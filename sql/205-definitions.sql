-- Triggers and events run with their owner's rights, too: a trigger keeps the audit as it was written and an erased
-- person from coming back. Those that the synchronisation makes (aethermart_COLLECTION_TABLE_ai, _au, _ad) come and
-- go with the mapping; `sync check` judges them.

ALTER TABLE Access_Definitions
  MODIFY object_kind ENUM('view','procedure','function','trigger','event') NOT NULL;

ALTER TABLE Access_Definitions
  COMMENT 'Views, routines, triggers, events as migrations made them; another one: changed by hand';

CREATE OR REPLACE VIEW v_Access_Definitions AS
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
   AND r.SECURITY_TYPE = 'DEFINER'
UNION ALL
SELECT 'trigger', t.TRIGGER_NAME,
       SHA2(CONCAT_WS('|', t.ACTION_TIMING, t.EVENT_MANIPULATION, t.EVENT_OBJECT_TABLE, t.ACTION_STATEMENT, t.DEFINER,
                      t.SQL_MODE), 256)
  FROM information_schema.TRIGGERS t
 WHERE t.TRIGGER_SCHEMA = DATABASE() AND t.TRIGGER_NAME NOT LIKE 'aethermart\_%\_a_'
UNION ALL
SELECT 'event', e.EVENT_NAME,
       SHA2(CONCAT_WS('|', e.EVENT_DEFINITION, e.DEFINER, e.SQL_MODE, e.EVENT_TYPE, e.INTERVAL_VALUE,
                      e.INTERVAL_FIELD, e.STATUS), 256)
  FROM information_schema.EVENTS e
 WHERE e.EVENT_SCHEMA = DATABASE();
