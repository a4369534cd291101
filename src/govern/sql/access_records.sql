-- What `access apply` made in MariaDB.
SELECT object_kind, object_name FROM Access_Objects WHERE object_kind IN ('role', 'account', 'view')
