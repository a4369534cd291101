/*
 * Hash map from bytes to a pointer: open addressing, linear probing, xxHash64 of the key. Keys are
 * borrowed (they must outlive the entry; take them from an arena). Not thread-safe.
 */
#pragma once

#include "base/strbuf.h"

struct map_entry {
	struct str key; /* key.data == NULL: free slot */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *entries;
	size_t cap; /* 0 or a power of two */
	size_t len;
};

uint64_t map_hash(struct str key);

/* The value, or NULL when absent. */
void *map_get(const struct map *m, struct str key);

/* The slot of the key, inserted with value NULL when absent. Valid until the next insert. */
void **map_put(struct map *m, struct str key);

void map_done(struct map *m);
