-- Why somebody's data has to be kept; no row: it need not. Parameter: subject.
SELECT reason, held_by, COALESCE(held_until, '') FROM Legal_Holds
 WHERE subject = ? AND COALESCE(held_until >= UTC_DATE(), TRUE)
