-- After the SQL of the system tables, before ours are made: root stays, from this machine only;
-- nobody else can log in. A script for `mariadbd --bootstrap`, whose statements each end their
-- line.
DELETE FROM mysql.global_priv WHERE Host <> 'localhost';
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
