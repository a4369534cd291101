-- A page of touched rows is computed. Parameters: kind, the last one done before, the last one done
-- now. Index: primary key.
DELETE FROM Staging_Touched WHERE touched_kind = ? AND touched_id > ? AND touched_id <= ?
