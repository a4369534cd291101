-- A row forgets who and what; that something was done stays. Parameter: its number. Primary key.
UPDATE rbac_audit SET user_name = '(erased)', host_name = '', database_name = '', object_name = '', query_text = ''
 WHERE rbac_id = ?
