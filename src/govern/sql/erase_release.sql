-- It need not be kept any more. Parameter: subject.
DELETE FROM Legal_Holds WHERE subject = ?
