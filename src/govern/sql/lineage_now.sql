-- What an event is made at: time (UTC), and how far the binary log is, empty without one.
SELECT UTC_TIMESTAMP(6), IF(@@log_bin, @@gtid_binlog_pos, '')
