-- One process exports events at a time; given back by RELEASE_LOCK() or with the connection: 0 taken, else the
-- connection that has it (-1: unknown).
SELECT IF(GET_LOCK(CONCAT('aethermart lineage ', DATABASE()), 0) = 1, 0,
          COALESCE(IS_USED_LOCK(CONCAT('aethermart lineage ', DATABASE())), -1))
