-- A consumer is done with documents, but for those that changed meanwhile. Parameters: a JSON array of
-- [collection, key in hexadecimal, version], in the order of the primary key; consumer. Each is looked up
-- by itself, by the primary key: a short table would be scanned, and rows that are not committed waited for.
DELETE h
  FROM JSON_TABLE(?, '$[*]' COLUMNS (
         collection VARCHAR(120) PATH '$[0]', hex_key VARCHAR(2048) PATH '$[1]', version BIGINT UNSIGNED PATH '$[2]')) x
  STRAIGHT_JOIN sync_handoff h FORCE INDEX (PRIMARY)
    ON h.consumer = ? AND h.collection = x.collection AND h.`key` = UNHEX(x.hex_key) AND h.version = x.version
