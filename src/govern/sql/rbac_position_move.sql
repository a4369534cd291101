-- Where the follower is now. Parameters: inode, time of the first line, offset. Primary key.
UPDATE rbac_audit_position SET file_inode = ?, file_began = ?, file_offset = ? WHERE position_id = 1
