-- How many holds somebody has, those that are over, too. Parameter: subject. Index: ix_hold_subject.
SELECT COUNT(*) FROM Legal_Holds WHERE subject = ?
