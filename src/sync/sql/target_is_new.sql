-- MongoDB is one that no holder ever wrote to: what counted as live is not there, and migrations on
-- their way begin anew. A few collections.
UPDATE sync_collection SET generation = generation + (state = 'migrating'),
  state = IF(state = 'live', 'reproject', state)
