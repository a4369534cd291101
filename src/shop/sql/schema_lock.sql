-- One process changes a schema at a time: 1 taken, 0 somebody else has it. Parameters: name of the
-- lock, seconds to wait.
SELECT GET_LOCK(?, ?)
