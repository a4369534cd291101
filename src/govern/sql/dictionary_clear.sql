-- Before the dictionary is written anew, within the same transaction.
DELETE FROM data_dictionary
