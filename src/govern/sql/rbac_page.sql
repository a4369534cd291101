-- A page of what the server saw: all that may hold something of a person. Parameters: the number before, how many.
-- Primary key.
SELECT rbac_id, user_name, host_name, database_name, object_name, query_text
  FROM rbac_audit WHERE rbac_id > ? ORDER BY rbac_id LIMIT ?
