/*
 * The cache of query embeddings: see embed_lru.h.
 *
 * Places are numbered and made as they are needed, up to the capacity. Each is in two lists by
 * number: the chain of its bucket, and the order of use, a ring through the sentinel place 0. No
 * tombstones, no rehashing: the buckets are made for the full capacity at once (4 bytes each), and
 * removing from a chain is a walk of one or two steps. base/map.h has no removal, which is all that
 * this is about.
 */
#include "embed/embed_lru.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>

#include "base/banned.h"

struct place {
	uint64_t hash;
	uint32_t next; /* in the bucket's chain; 0 ends it */
	uint32_t newer, older;
	char *text;
	size_t len;
	float *vector;
};

struct embed_lru {
	pthread_mutex_t mutex;
	size_t capacity;
	unsigned dimension;
	uint32_t *buckets; /* first place of each chain */
	size_t mask;
	struct place *places; /* [0] is the sentinel: newer is the oldest, older the newest */
	size_t cap, used;     /* `used` counts the sentinel */
};

struct embed_lru *embed_lru_new(size_t capacity, unsigned dimension)
{
	struct embed_lru *l;
	size_t buckets = 16;

	if (capacity == 0)
		return NULL;
	bug_if(capacity >= UINT32_MAX);
	while (buckets < capacity)
		buckets *= 2;
	l = MEM_NEW(struct embed_lru);
	l->capacity = capacity;
	l->dimension = dimension;
	l->mask = buckets - 1;
	l->buckets = mem_alloc_array(buckets, sizeof(*l->buckets));
	mem_grow(&l->places, &l->cap, 1, sizeof(*l->places));
	l->used = 1;
	bug_if(pthread_mutex_init(&l->mutex, NULL) != 0);
	return l;
}

struct embed_lru *embed_lru_free(struct embed_lru *l)
{
	if (!l)
		return NULL;
	for (size_t i = 1; i < l->used; i++) {
		mem_free(l->places[i].text);
		mem_free(l->places[i].vector);
	}
	mem_free(l->places);
	mem_free(l->buckets);
	(void)pthread_mutex_destroy(&l->mutex);
	mem_free(l);
	return NULL;
}

static uint32_t find(const struct embed_lru *l, struct str text, uint64_t hash)
{
	uint32_t i = l->buckets[hash & l->mask];

	while (i && !(l->places[i].hash == hash &&
		      str_equal((struct str){l->places[i].text, l->places[i].len}, text)))
		i = l->places[i].next;
	return i;
}

static void leave_order(struct embed_lru *l, uint32_t i)
{
	l->places[l->places[i].newer].older = l->places[i].older;
	l->places[l->places[i].older].newer = l->places[i].newer;
}

static void become_newest(struct embed_lru *l, uint32_t i)
{
	uint32_t before = l->places[0].older;

	l->places[i].older = before;
	l->places[i].newer = 0;
	l->places[before].newer = i;
	l->places[0].older = i;
}

static void leave_chain(struct embed_lru *l, uint32_t i)
{
	uint32_t *link = &l->buckets[l->places[i].hash & l->mask];

	while (*link != i)
		link = &l->places[*link].next;
	*link = l->places[i].next;
}

/* A place for a new text: a fresh one, or the one that was not asked for longest. */
static uint32_t make_room(struct embed_lru *l)
{
	uint32_t oldest;

	if (l->used <= l->capacity) {
		mem_grow(&l->places, &l->cap, l->used + 1, sizeof(*l->places));
		return (uint32_t)l->used++;
	}
	oldest = l->places[0].newer;
	leave_order(l, oldest);
	leave_chain(l, oldest);
	return oldest;
}

static void fill(struct embed_lru *l, uint32_t i, struct str text, uint64_t hash)
{
	struct place *p = &l->places[i];
	uint32_t *bucket = &l->buckets[hash & l->mask];

	mem_free(p->text);
	p->text = mem_strndup(text.len ? text.data : "", text.len);
	p->len = text.len;
	p->hash = hash;
	if (!p->vector)
		p->vector = mem_alloc_array(l->dimension, sizeof(float));
	p->next = *bucket;
	*bucket = i;
	become_newest(l, i);
}

bool embed_lru_get(struct embed_lru *l, struct str text, float *ret)
{
	uint64_t hash;
	uint32_t i;

	if (!l || text.len > EMBED_LRU_TEXT_MAX)
		return false;
	hash = map_hash(text);
	(void)pthread_mutex_lock(&l->mutex);
	i = find(l, text, hash);
	if (i) {
		leave_order(l, i);
		become_newest(l, i);
		memcpy(ret, l->places[i].vector, l->dimension * sizeof(float));
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return i != 0;
}

void embed_lru_put(struct embed_lru *l, struct str text, const float *vector)
{
	uint64_t hash;
	uint32_t i;

	if (!l || text.len > EMBED_LRU_TEXT_MAX)
		return;
	hash = map_hash(text);
	(void)pthread_mutex_lock(&l->mutex);
	i = find(l, text, hash);
	if (!i) {
		i = make_room(l);
		fill(l, i, text, hash);
	}
	memcpy(l->places[i].vector, vector, l->dimension * sizeof(float));
	(void)pthread_mutex_unlock(&l->mutex);
}

size_t embed_lru_len(struct embed_lru *l)
{
	size_t n;

	if (!l)
		return 0;
	(void)pthread_mutex_lock(&l->mutex);
	n = l->used - 1;
	(void)pthread_mutex_unlock(&l->mutex);
	return n;
}
