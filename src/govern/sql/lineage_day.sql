-- A day or time as a person wrote it; NULL: it is none. Parameter: the text.
SELECT CAST(? AS DATETIME)
