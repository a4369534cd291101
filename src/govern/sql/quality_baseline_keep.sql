-- Records it. Parameters: check, baseline.
INSERT INTO Quality_Baselines (check_name, recorded_at, baseline) VALUES (?, UTC_TIMESTAMP(3), ?)
ON DUPLICATE KEY UPDATE recorded_at = VALUES(recorded_at), baseline = VALUES(baseline)
