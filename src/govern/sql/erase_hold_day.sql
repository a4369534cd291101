-- Whether a day is there, and is not over. Parameter: the day, twice.
SELECT CAST(? AS DATE) IS NOT NULL AND CAST(? AS DATE) >= UTC_DATE()
