-- One process applies the rules of access at a time: 1 taken, 0 somebody else has it.
SELECT GET_LOCK(CONCAT('aethermart access ', DATABASE()), 10)
