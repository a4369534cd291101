-- No statement of this session may hold up anybody: what takes longer is given up.
SET SESSION max_statement_time = 2
