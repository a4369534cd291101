-- It need not be kept any more. Parameters: subject, number of the hold, or 0 for the only one, twice.
DELETE FROM Legal_Holds WHERE subject = ? AND (hold_id = ? OR ? = 0)
