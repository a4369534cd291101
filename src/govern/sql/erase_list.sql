-- Erasures and holds, the newest first.
SELECT erasure_id, subject, erasure_state, requested_by, purpose, begun_at, COALESCE(finished_at, ''), 0 AS hold_id
  FROM Erasures
UNION ALL
SELECT 0, subject, IF(COALESCE(held_until >= UTC_DATE(), TRUE), 'held', 'hold is over'), held_by, reason, held_at,
       COALESCE(held_until, ''), hold_id
  FROM Legal_Holds
 ORDER BY 6 DESC, 1 DESC, 8 DESC
