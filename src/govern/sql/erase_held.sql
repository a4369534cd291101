-- Why somebody's data has to be kept, the reason that lasts longest; no row: it need not. Parameter: subject.
-- Index: ix_hold_subject.
SELECT reason, held_by, COALESCE(held_until, '') FROM Legal_Holds
 WHERE subject = ? AND COALESCE(held_until >= UTC_DATE(), TRUE)
 ORDER BY held_until IS NULL DESC, held_until DESC, hold_id LIMIT 1
