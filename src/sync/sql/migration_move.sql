-- A page is done, if the migration is still this one and the mapping too. Parameters: phase,
-- after_key, done, collection, owner, generation, owners, mapping_hash. Indexes: primary keys.
UPDATE sync_migration m JOIN sync_collection c ON c.collection = m.collection
   SET m.phase = ?, m.after_key = ?, m.done = m.done + ?, m.pages = m.pages + 1
 WHERE m.collection = ? AND m.owner = ? AND m.generation = ? AND m.owners = ?
   AND c.generation = m.generation AND c.mapping_hash = ?
