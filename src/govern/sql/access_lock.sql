-- One process applies the rules of access at a time: 0 taken, else the connection that has it (-1: unknown).
SELECT IF(GET_LOCK(CONCAT('aethermart access ', DATABASE()), 10) = 1, 0,
          COALESCE(IS_USED_LOCK(CONCAT('aethermart access ', DATABASE())), -1))
