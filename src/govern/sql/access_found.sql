-- What the server grants on the shop, its warehouse and its own tables of accounts (who writes those can be anybody):
-- kind, who, rights (several: by commas), object.
-- Kinds: role, account, view (those that nobody recorded, too), grant, member, default, person, login (what is
-- wrong with it). Parameter: the warehouse's database.
-- Rights that a pattern gives (GRANT … ON `aether%`.*) are found by what it matches.
-- Of roles and accounts of the shop (Access_Objects), and of PUBLIC, which everybody is, also what they have on other
-- databases.
-- Rights on all are bits, in the order of privilege.h; those that this server alone knows are told as a number.
WITH names AS (SELECT DATABASE() AS database_name UNION SELECT ? UNION SELECT 'mysql'),
     ours AS (SELECT object_name AS who FROM Access_Objects WHERE object_kind IN ('role', 'account')
               UNION SELECT 'PUBLIC'),
     accounts AS (
       SELECT User, Host, Priv, COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 1 AS is_role,
              IF(COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 1, User, CONCAT(User, '@', Host)) AS who
         FROM mysql.global_priv),
     logins AS ( -- access_record_logins.sql has the same text
       SELECT who, JSON_VALUE(Priv, '$.account_locked') = 1 AS is_locked,
              CONCAT_WS(', ', COALESCE(JSON_VALUE(Priv, '$.plugin'), 'mysql_native_password'),
                        REGEXP_REPLACE(JSON_EXTRACT(Priv, '$.auth_or[*].plugin'), '[]["]', '')) AS plugins,
              COALESCE(JSON_VALUE(Priv, '$.authentication_string'), '') <> ''
              OR JSON_VALUE(Priv, '$.plugin') NOT IN ('mysql_native_password', 'mysql_old_password', 'ed25519')
                AS has_password
         FROM accounts WHERE NOT is_role)
SELECT IF(is_role, 'role', 'account') AS kind, who, '' AS rights, '' AS object FROM accounts
UNION ALL
SELECT 'view', o.object_name,
       IF(SHA2(CONCAT(v.VIEW_DEFINITION, '|', v.SECURITY_TYPE, '|', v.DEFINER), 256) <=> o.found_hash,
          COALESCE(o.planned_hash, ''), ''), ''
  FROM Access_Objects o
  JOIN information_schema.VIEWS v ON v.TABLE_SCHEMA = DATABASE() AND v.TABLE_NAME = o.object_name
 WHERE o.object_kind = 'view'
UNION ALL
SELECT 'view', t.TABLE_NAME, '', '' FROM information_schema.TABLES t
 WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'VIEW'
   AND t.TABLE_NAME NOT IN (SELECT object_name FROM Access_Objects WHERE object_kind = 'view')
UNION ALL
SELECT 'login', who, 'is locked', '' FROM logins WHERE is_locked
UNION ALL
SELECT 'login', l.who,
       IF(o.found_hash <> SHA2(l.plugins, 256), CONCAT('logs in by ', l.plugins), 'logs in without a password'), ''
  FROM logins l JOIN Access_Objects o ON o.object_kind = 'account' AND o.object_name = l.who
 WHERE o.found_hash <> SHA2(l.plugins, 256) OR NOT l.has_password
UNION ALL
SELECT 'grant', who,
       IF(bits & ~1024 = (1 << 39) - 1 - 1024, 'ALL PRIVILEGES', CONCAT_WS(',',
          NULLIF(MAKE_SET(bits, 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'RELOAD', 'SHUTDOWN',
                          'PROCESS', 'FILE', NULL, 'REFERENCES', 'INDEX', 'ALTER', 'SHOW DATABASES', 'SUPER',
                          'CREATE TEMPORARY TABLES', 'LOCK TABLES', 'EXECUTE', 'REPLICATION SLAVE', 'BINLOG MONITOR',
                          'CREATE VIEW', 'SHOW VIEW', 'CREATE ROUTINE', 'ALTER ROUTINE', 'CREATE USER', 'EVENT',
                          'TRIGGER', 'CREATE TABLESPACE', 'DELETE HISTORY', 'SET USER', 'FEDERATED ADMIN',
                          'CONNECTION ADMIN', 'READ_ONLY ADMIN', 'REPLICATION SLAVE ADMIN',
                          'REPLICATION MASTER ADMIN', 'BINLOG ADMIN', 'BINLOG REPLAY', 'SLAVE MONITOR'), ''),
          IF(bits >> 39, CONCAT('RIGHTS ', bits >> 39 << 39), NULL))), 'SERVER'
  FROM (SELECT who, CAST(COALESCE(JSON_VALUE(Priv, '$.access'), 0) AS UNSIGNED) AS bits FROM accounts) x
 WHERE bits & ~1024 <> 0
UNION ALL
SELECT 'grant', who, 'GRANT OPTION', 'SERVER' FROM accounts -- no part of ALL PRIVILEGES
 WHERE COALESCE(JSON_VALUE(Priv, '$.access'), 0) & 1024 <> 0
UNION ALL
SELECT 'grant', COALESCE(a.who, d.User), CONCAT_WS(',',
         IF(d.Select_priv = 'Y', 'SELECT', NULL), IF(d.Insert_priv = 'Y', 'INSERT', NULL),
         IF(d.Update_priv = 'Y', 'UPDATE', NULL), IF(d.Delete_priv = 'Y', 'DELETE', NULL),
         IF(d.Create_priv = 'Y', 'CREATE', NULL), IF(d.Drop_priv = 'Y', 'DROP', NULL),
         IF(d.Index_priv = 'Y', 'INDEX', NULL), IF(d.Alter_priv = 'Y', 'ALTER', NULL),
         IF(d.References_priv = 'Y', 'REFERENCES', NULL),
         IF(d.Create_tmp_table_priv = 'Y', 'CREATE TEMPORARY TABLES', NULL),
         IF(d.Lock_tables_priv = 'Y', 'LOCK TABLES', NULL), IF(d.Event_priv = 'Y', 'EVENT', NULL),
         IF(d.Trigger_priv = 'Y', 'TRIGGER', NULL), IF(d.Execute_priv = 'Y', 'EXECUTE', NULL),
         IF(d.Create_view_priv = 'Y', 'CREATE VIEW', NULL), IF(d.Show_view_priv = 'Y', 'SHOW VIEW', NULL),
         IF(d.Create_routine_priv = 'Y', 'CREATE ROUTINE', NULL),
         IF(d.Alter_routine_priv = 'Y', 'ALTER ROUTINE', NULL),
         IF(d.Delete_history_priv = 'Y', 'DELETE HISTORY', NULL),
         IF(d.Grant_priv = 'Y', 'GRANT OPTION', NULL)),
       CONCAT('DATABASE ', d.Db)
  FROM mysql.db d
  LEFT JOIN accounts a ON a.User = d.User AND a.Host = d.Host
 WHERE EXISTS (SELECT 1 FROM names n WHERE n.database_name LIKE d.Db)
    OR COALESCE(a.who, d.User) IN (SELECT who FROM ours)
UNION ALL
SELECT 'grant', COALESCE(a.who, t.User), REPLACE(REPLACE(t.Table_priv, 'Grant', 'GRANT OPTION'), 'Delete versioning rows', 'DELETE HISTORY'),
       CONCAT('TABLE ', IF(t.Db = DATABASE(), '', CONCAT(t.Db, '.')), t.Table_name)
  FROM mysql.tables_priv t
  LEFT JOIN accounts a ON a.User = t.User AND a.Host = t.Host
 WHERE t.Table_priv <> ''
   AND (t.Db IN (SELECT database_name FROM names) OR COALESCE(a.who, t.User) IN (SELECT who FROM ours))
UNION ALL
SELECT 'grant', COALESCE(a.who, c.User), c.Column_priv,
       CONCAT('COLUMN ', IF(c.Db = DATABASE(), '', CONCAT(c.Db, '.')), c.Table_name, '.', c.Column_name)
  FROM mysql.columns_priv c
  LEFT JOIN accounts a ON a.User = c.User AND a.Host = c.Host
 WHERE c.Db IN (SELECT database_name FROM names) OR COALESCE(a.who, c.User) IN (SELECT who FROM ours)
UNION ALL
SELECT 'grant', COALESCE(a.who, p.User), REPLACE(p.Proc_priv, 'Grant', 'GRANT OPTION'),
       CONCAT(p.Routine_type, ' ', IF(p.Db = DATABASE(), '', CONCAT(p.Db, '.')),
              COALESCE((SELECT r.ROUTINE_NAME FROM information_schema.ROUTINES r
                         WHERE r.ROUTINE_SCHEMA = p.Db AND r.ROUTINE_NAME = p.Routine_name
                           AND r.ROUTINE_TYPE = p.Routine_type), p.Routine_name))
  FROM mysql.procs_priv p
  LEFT JOIN accounts a ON a.User = p.User AND a.Host = p.Host
 WHERE p.Proc_priv <> ''
   AND (p.Db IN (SELECT database_name FROM names) OR COALESCE(a.who, p.User) IN (SELECT who FROM ours))
UNION ALL
SELECT 'member', COALESCE(a.who, m.User), CONCAT(m.Role, IF(m.Admin_option = 'Y', ' WITH ADMIN OPTION', '')), ''
  FROM mysql.roles_mapping m
  LEFT JOIN accounts a ON a.User = m.User AND a.Host = m.Host
UNION ALL
SELECT 'default', who, JSON_VALUE(Priv, '$.default_role'), '' FROM accounts
 WHERE COALESCE(JSON_VALUE(Priv, '$.default_role'), '') <> ''
UNION ALL
SELECT 'person', account_name, customer_id, '' FROM Access_People
