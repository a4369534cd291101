-- What `access apply` made in MongoDB: kind, database.name; in the order in which it is dropped.
SELECT object_kind, object_name FROM Access_Objects
 WHERE object_kind IN ('mongo_account', 'mongo_role', 'mongo_view')
 ORDER BY FIELD(object_kind, 'mongo_account', 'mongo_role', 'mongo_view'), object_name
