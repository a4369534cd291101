-- Binary logs: name, bytes.
SHOW BINARY LOGS
