-- What `access apply` made.
SELECT object_kind, object_name FROM Access_Objects
