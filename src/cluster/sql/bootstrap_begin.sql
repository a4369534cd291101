-- Before the SQL of the system tables. NULL: root gets a password, not the login of whoever owns
-- the socket. A script for `mariadbd --bootstrap` on an empty folder, whose statements each end
-- their line.
CREATE DATABASE mysql;
USE mysql;
SET @auth_root_socket = NULL;
