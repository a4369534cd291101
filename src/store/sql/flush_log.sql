-- What a commit waits for: 1, the log is on disk; with other values a crash loses commits.
SELECT @@GLOBAL.innodb_flush_log_at_trx_commit
