-- Access: roles, accounts and views of MongoDB are recorded where those of MariaDB are.

ALTER TABLE Access_Objects
  MODIFY object_kind ENUM('role','account','view','mongo_role','mongo_account','mongo_view') NOT NULL,
  MODIFY object_name VARCHAR(160) NOT NULL COMMENT 'of an account: name@host; of MongoDB: database.name';
