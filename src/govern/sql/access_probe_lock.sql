-- One process tries MongoDB's accounts at a time: 1 taken, 0 somebody else has it.
SELECT GET_LOCK(CONCAT('aethermart access probe ', DATABASE()), 30)
