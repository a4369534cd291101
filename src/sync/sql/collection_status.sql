-- All collections with what operators want to know of them. Indexes: uq_dead_letter, primary key of
-- sync_migration.
SELECT c.collection, c.queue, c.state, c.is_paused, c.applied_total, c.failed_total,
  (SELECT COUNT(*) FROM sync_dead_letter d WHERE d.collection = c.collection),
  IFNULL((SELECT SUM(m.done) FROM sync_migration m
           WHERE m.collection = c.collection AND m.generation = c.generation), 0),
  c.migrate_total, c.verified_at, c.verified_result, c.mapping_hash
  FROM sync_collection c
 ORDER BY c.collection
