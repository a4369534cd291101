-- How long the server's binary logs are kept: whether there are any, seconds (0: for ever).
SELECT @@log_bin, @@binlog_expire_logs_seconds
