-- What a check compares with. Parameter: check. Index: the primary key.
SELECT baseline FROM Quality_Baselines WHERE check_name = ?
