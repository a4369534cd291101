/* Hash map: see map.h. Load factor at most 3/4; there is no removal. */
#include "base/map.h"

#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/banned.h"

uint64_t map_hash(struct str key)
{
	return XXH3_64bits(key.data, key.len);
}

static struct map_entry *find(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = (size_t)hash & (m->cap - 1);

	while (m->entries[i].key.data &&
	       !(m->entries[i].hash == hash && str_equal(m->entries[i].key, key)))
		i = (i + 1) & (m->cap - 1);
	return &m->entries[i];
}

void *map_get(const struct map *m, struct str key)
{
	return m->len ? find(m, key, map_hash(key))->value : NULL;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->entries = mem_alloc_array(m->cap, sizeof(*m->entries));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.entries[i].key.data)
			*find(m, old.entries[i].key, old.entries[i].hash) = old.entries[i];
	}
	mem_free(old.entries);
}

void **map_put(struct map *m, struct str key)
{
	uint64_t hash = map_hash(key);
	struct map_entry *e;

	if ((m->len + 1) * 4 > m->cap * 3)
		grow(m);
	e = find(m, key, hash);
	if (!e->key.data) {
		e->key = key.data ? key : (struct str){"", 0};
		e->hash = hash;
		m->len++;
	}
	return &e->value;
}

void map_done(struct map *m)
{
	mem_free(m->entries);
	*m = (struct map){0};
}
