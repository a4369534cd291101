-- Whether our account has a right on the server or on the selected database; what comes by a role
-- is not seen. Parameter: right. No index: what the account has fits on a screen.
SELECT COUNT(*)
  FROM (SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
         WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
        UNION ALL
        SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
         WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
           AND DATABASE() LIKE TABLE_SCHEMA) p
 WHERE PRIVILEGE_TYPE = ?
