-- Addresses come from feeds too; their key there makes a second load find them.

ALTER TABLE Customer_Addresses
  ADD COLUMN IF NOT EXISTS external_id VARCHAR(64) NULL COMMENT 'key in the feed that it came from' AFTER address_id,
  ADD UNIQUE KEY IF NOT EXISTS uq_address_external (external_id) COMMENT 'load: the address of a feed''s key';
