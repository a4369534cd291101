-- Readers of the hand-off and how much waits for each. Index: primary key of sync_handoff.
SELECT c.consumer, c.kind, c.seen_at,
  (SELECT COUNT(*) FROM sync_handoff h WHERE h.consumer = c.consumer),
  TIMESTAMPDIFF(SECOND, c.seen_at, CURRENT_TIMESTAMP)
  FROM sync_consumer c
 ORDER BY c.consumer
