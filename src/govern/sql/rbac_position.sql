-- Where the follower is, locked until the transaction ends: one follows at a time. Primary key.
SELECT file_inode, file_began, file_offset FROM rbac_audit_position WHERE position_id = 1 FOR UPDATE
