-- What the server saw. Parameters: time, user, host, role, connection, action, database, object, text of the
-- statement, outcome, number of the query, how often.
INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id, action_name, database_name,
                        object_name, query_text, outcome, query_id, times)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
