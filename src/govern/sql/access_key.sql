-- The key of pseudonyms, padded. Parameters: inner and outer pad.
INSERT INTO Access_Keys (key_name, inner_pad, outer_pad) VALUES ('pseudonym', ?, ?)
ON DUPLICATE KEY UPDATE inner_pad = VALUES(inner_pad), outer_pad = VALUES(outer_pad)
