/*
 * Slots: where vectors are, which are free, and which slot has an id.
 *
 * A slot goes round: free -> filled -> found by its id -> dead (its id is gone; searches still walk
 * through it) -> limbo (the repair took it out of the graph; a search that began before may still
 * stand on it) -> waiting (the last checkpoint still holds it, so its vector in the file must stay)
 * -> overwritten with zeros, free. An index in memory has no checkpoint and skips `waiting`.
 */
#include "vector/vector_int.h"

#include "base/mem.h"
#include "base/pages.h"
#include "vector/vector_file.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#include "base/banned.h"

/* --- memory ---------------------------------------------------------------------------------- */

size_t slot_edge_bytes(const struct vector_index *ix)
{
	return ix->kind == VECTOR_GRAPH ? (size_t)ix->m * 2 * sizeof(uint32_t) : 0;
}

size_t slot_memory_bytes(const struct vector_index *ix)
{
	size_t bytes = ix->code_bytes + sizeof(struct slot_meta) + sizeof(float) +
		       sizeof(uint32_t) * 3 + slot_edge_bytes(ix);

	return ix->dir ? bytes : bytes + ix->vector_bytes;
}

static size_t chunk_bytes(const struct vector_index *ix)
{
	return CHUNK_SLOTS * slot_memory_bytes(ix);
}

/* Codes first: the chunk is aligned for them. */
static void lay_out(const struct vector_index *ix, uint8_t *p, struct chunk *c)
{
	c->codes = p;
	p += CHUNK_SLOTS * ix->code_bytes;
	c->edges = (_Atomic uint32_t *)(void *)p;
	p += CHUNK_SLOTS * slot_edge_bytes(ix);
	c->meta = (struct slot_meta *)(void *)p;
	p += CHUNK_SLOTS * sizeof(struct slot_meta);
	c->residual = (float *)(void *)p;
	p += CHUNK_SLOTS * sizeof(float);
	c->crc = (uint32_t *)(void *)p;
	p += CHUNK_SLOTS * sizeof(uint32_t);
	c->ids = (_Atomic uint32_t *)(void *)p;
	p += CHUNK_SLOTS * sizeof(uint32_t);
	c->upper = (_Atomic uint32_t *)(void *)p;
	p += CHUNK_SLOTS * sizeof(uint32_t);
	if (!ix->dir)
		c->vectors = p;
}

static int chunk_make(struct vector_index *ix, uint32_t number, struct err *err)
{
	struct chunk *c = &ix->chunks[number];
	bool is_large = number > 0; /* a small index stays small */
	void *pages = NULL;
	int r = pages_map(chunk_bytes(ix), is_large, &pages, err);

	if (r < 0)
		return r;
	lay_out(ix, pages, c);
	for (uint32_t i = 0; i < CHUNK_SLOTS; i++)
		atomic_store_explicit(&c->ids[i], VECTOR_ID_NONE, memory_order_relaxed);
	if (ix->dir)
		r = files_map_chunk(ix, number, err);
	if (r < 0) {
		pages_unmap(pages, chunk_bytes(ix));
		c->codes = NULL;
	}
	return r;
}

int slots_reserve(struct vector_index *ix, uint32_t slots, struct err *err)
{
	uint32_t chunks = slots / CHUNK_SLOTS + (slots % CHUNK_SLOTS != 0);

	if (chunks > CHUNKS_MAX)
		return err_set(err, ERR_LIMIT, "an index holds %u vectors at most",
			       CHUNKS_MAX * CHUNK_SLOTS);
	for (uint32_t i = chunks; i-- > 0 && !ix->chunks[i].codes;) {
		int r = chunk_make(ix, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void slots_done(struct vector_index *ix)
{
	for (uint32_t i = 0; i < CHUNKS_MAX && ix->chunks; i++) {
		pages_unmap(ix->chunks[i].codes, chunk_bytes(ix));
	}
	for (size_t i = 0; i < ARRAY_LEN(ix->upper.chunks); i++)
		mem_free((void *)(uintptr_t)ix->upper.chunks[i]);
	for (size_t i = 0; i < IDS_TOP; i++) {
		struct id_mid *mid = ix->ids[i];

		for (size_t j = 0; mid && j < IDS_MID; j++)
			mem_free(mid->leaves[j]);
		mem_free(mid);
	}
	mem_free(ix->chunks);
	mem_free(ix->free_slots);
	mem_free(ix->dead.items);
	mem_free(ix->limbo.items);
	mem_free(ix->waiting.items);
}

/* --- from ids to slots ----------------------------------------------------------------------- */

size_t ids_memory_bytes(const struct vector_index *ix, uint32_t id)
{
	uint32_t mid = id / IDS_LEAF / IDS_MID;

	if (ids_leaf(ix, id))
		return 0;
	return sizeof(struct id_leaf) + (atomic_load_explicit(&ix->ids[mid], memory_order_relaxed)
					     ? 0
					     : sizeof(struct id_mid));
}

int ids_reserve(struct vector_index *ix, uint32_t id, struct err *err)
{
	uint32_t number = id / IDS_LEAF;
	_Atomic(struct id_mid *) *place = &ix->ids[number / IDS_MID];
	struct id_mid *mid = atomic_load_explicit(place, memory_order_relaxed);
	void *p;
	int r;

	if (ids_leaf(ix, id))
		return 0;
	if (!mid) {
		r = mem_try_alloc(sizeof(*mid), sizeof(*mid), &p, err);
		if (r < 0)
			return r;
		memset(p, 0, sizeof(*mid));
		mid = p;
		ix->memory_bytes += sizeof(*mid);
		atomic_store_explicit(place, mid, memory_order_release);
	}
	r = mem_try_alloc(sizeof(struct id_leaf), sizeof(struct id_leaf), &p, err);
	if (r < 0)
		return r;
	memset(p, 0, sizeof(struct id_leaf));
	ix->memory_bytes += sizeof(struct id_leaf);
	atomic_store_explicit(&mid->leaves[number % IDS_MID], (struct id_leaf *)p,
			      memory_order_release);
	return 0;
}

void ids_set(struct vector_index *ix, uint32_t id, uint32_t slot)
{
	struct id_leaf *leaf = ids_leaf(ix, id);

	bug_if(!leaf);
	atomic_store_explicit(&leaf->slots[id % IDS_LEAF], slot + 1U, memory_order_release);
}

/* --- edges of the upper layers --------------------------------------------------------------- */

static _Atomic uint32_t *block_at(const struct vector_index *ix, uint32_t block)
{
	return ix->upper.chunks[block >> UPPER_BITS] +
	       (size_t)(block & (UPPER_BLOCKS - 1U)) * ix->m;
}

unsigned slot_layers(const struct vector_index *ix, uint32_t slot)
{
	return atomic_load_explicit(&chunk_of(ix, slot)->upper[in_chunk(slot)],
				    memory_order_acquire) >>
	       28;
}

_Atomic uint32_t *slot_edges(const struct vector_index *ix, uint32_t slot, unsigned layer,
			     unsigned *ret_max)
{
	const struct chunk *c = chunk_of(ix, slot);
	uint32_t upper;

	if (layer == 0) {
		*ret_max = 2 * ix->m;
		return c->edges + (size_t)in_chunk(slot) * 2 * ix->m;
	}
	*ret_max = ix->m;
	upper = atomic_load_explicit(&c->upper[in_chunk(slot)], memory_order_acquire);
	bug_if(layer > upper >> 28);
	return block_at(ix, (upper & 0x0fffffffU) + layer - 1);
}

int upper_reserve_chunk(struct vector_index *ix, uint32_t number, struct err *err)
{
	size_t bytes = (size_t)UPPER_BLOCKS * ix->m * sizeof(uint32_t);
	void *p;
	int r;

	if (number >= ARRAY_LEN(ix->upper.chunks))
		return err_set(err, ERR_LIMIT, "the upper layers of the index are full");
	if (ix->upper.chunks[number])
		return 0;
	r = mem_try_alloc(bytes, bytes, &p, err);
	if (r < 0)
		return r;
	ix->upper.chunks[number] = (_Atomic uint32_t *)p;
	return 0;
}

/* A run of `layers` blocks within one chunk, all edges none. */
static int upper_take(struct vector_index *ix, unsigned layers, uint32_t *ret, struct err *err)
{
	struct upper_pool *pool = &ix->upper;
	uint32_t block = pool->spare[layers], from = block;
	int r;

	if (block) {
		pool->spare[layers] = block_at(ix, block)[0];
	} else {
		block = pool->used ? pool->used : 1; /* block 0 is none */
		if ((block & (UPPER_BLOCKS - 1U)) + layers > UPPER_BLOCKS)
			block = (block | (UPPER_BLOCKS - 1U)) + 1; /* the next chunk */
		r = upper_reserve_chunk(ix, block >> UPPER_BITS, err);
		if (r < 0)
			return r;
		from = pool->used; /* what is left over stands in checkpoints, too */
		pool->used = block + layers;
		ix->memory_bytes += (size_t)layers * ix->m * sizeof(uint32_t);
	}
	for (; from < block + layers; from++) {
		for (unsigned i = 0; i < ix->m; i++)
			atomic_store_explicit(&block_at(ix, from)[i], EDGE_NONE,
					      memory_order_relaxed);
	}
	*ret = (uint32_t)layers << 28 | block;
	return 0;
}

static void upper_give_back(struct vector_index *ix, uint32_t slot)
{
	_Atomic uint32_t *place = &chunk_of(ix, slot)->upper[in_chunk(slot)];
	uint32_t upper = *place, block = upper & 0x0fffffffU;
	unsigned layers = upper >> 28;

	if (!upper)
		return;
	atomic_store_explicit(&block_at(ix, block)[0], ix->upper.spare[layers],
			      memory_order_relaxed);
	ix->upper.spare[layers] = block;
	*place = 0;
}

/* --- filling --------------------------------------------------------------------------------- */

static int take_slot(struct vector_index *ix, uint32_t *ret, struct err *err)
{
	uint32_t slot;
	int r;

	if (ix->n_free > 0) {
		*ret = ix->free_slots[--ix->n_free];
		return 0;
	}
	slot = ix->slots;
	r = slots_reserve(ix, slot + 1, err);
	if (r < 0)
		return r;
	ix->memory_bytes += slot_memory_bytes(ix);
	atomic_store_explicit(&ix->slots, slot + 1, memory_order_release);
	*ret = slot;
	return 0;
}

static void give_back(struct vector_index *ix, uint32_t slot)
{
	mem_grow(&ix->free_slots, &ix->cap_free, ix->n_free + 1, sizeof(*ix->free_slots));
	ix->free_slots[ix->n_free++] = slot;
}

void slot_note_extremes(struct vector_index *ix, uint32_t slot)
{
	float norm = sqrtf(slot_meta(ix, slot)->norm2);
	float residual = chunk_of(ix, slot)->residual[in_chunk(slot)];

	if (norm > ix->norm_max)
		ix->norm_max = norm;
	if (residual > ix->residual_max)
		ix->residual_max = residual;
}

static int write_vector(struct vector_index *ix, uint32_t slot, const void *data, struct err *err)
{
	struct chunk *c = chunk_of(ix, slot);

	if (ix->dir)
		return files_write_vector(ix, slot, data, err);
	memcpy(c->codes + (slot_vector(ix, slot) - c->codes), data, ix->vector_bytes);
	return 0;
}

/* What a search compares with: the vector as it is stored, its code, and their difference. */
static int write_slot(struct vector_index *ix, uint32_t slot, const float *vector, struct err *err)
{
	struct chunk *c = chunk_of(ix, slot);
	uint32_t i = in_chunk(slot);
	struct code_facts facts;
	const void *data = vector;
	float *stored = ix->stored;
	int r;

	if (ix->precision == VECTOR_F16) {
		ix->kernels->to_f16(vector, ix->halves, ix->dimension);
		ix->kernels->from_f16(ix->halves, stored, ix->dimension);
		data = ix->halves;
	} else {
		memcpy(stored, vector, ix->dimension * sizeof(float));
	}
	r = write_vector(ix, slot, data, err);
	if (r < 0)
		return r;
	facts = code_make(ix, stored, slot_code(ix, slot));
	c->meta[i] = (struct slot_meta){facts.scale, vector_norm2(ix, stored)};
	c->residual[i] = facts.residual;
	c->crc[i] = crc32c(0, data, ix->vector_bytes);
	slot_note_extremes(ix, slot);
	return 0;
}

void slot_abandon(struct vector_index *ix, uint32_t slot)
{
	upper_give_back(ix, slot);
	give_back(ix, slot);
}

int slot_fill(struct vector_index *ix, const float *vector, unsigned layers, uint32_t *ret,
	      struct err *err)
{
	uint32_t slot, upper = 0;
	unsigned max;
	int r = take_slot(ix, &slot, err);

	if (r < 0)
		return r;
	r = write_slot(ix, slot, vector, err);
	if (r == 0 && layers > 0)
		r = upper_take(ix, layers, &upper, err);
	if (r < 0) {
		give_back(ix, slot);
		return r;
	}
	atomic_store_explicit(&chunk_of(ix, slot)->upper[in_chunk(slot)], upper,
			      memory_order_release);
	if (ix->kind == VECTOR_GRAPH) {
		_Atomic uint32_t *edges = slot_edges(ix, slot, 0, &max);

		for (unsigned i = 0; i < max; i++)
			atomic_store_explicit(&edges[i], EDGE_NONE, memory_order_relaxed);
	}
	*ret = slot;
	return 0;
}

/* --- going round ----------------------------------------------------------------------------- */

void retired_add(struct retired_list *list, uint32_t slot, uint64_t epoch)
{
	mem_grow(&list->items, &list->cap, list->len + 1, sizeof(*list->items));
	list->items[list->len++] = (struct retired){slot, epoch};
}

/* The epoch of the oldest search that runs; UINT64_MAX: none does. */
static uint64_t oldest_search(const struct vector_index *ix)
{
	uint64_t oldest = UINT64_MAX;

	/* With the one in enter(): either the search's epoch is seen here, or the search sees what
	 * was unlinked before. */
	epochs_fence();
	for (size_t i = 0; i < VECTOR_READERS_MAX; i++) {
		uint64_t epoch = atomic_load_explicit(&ix->epochs[i], memory_order_seq_cst);

		if (epoch && epoch < oldest)
			oldest = epoch;
	}
	return oldest;
}

/* Nobody can reach the slot any more. */
static void erase_slot(struct vector_index *ix, uint32_t slot)
{
	upper_give_back(ix, slot);
	memset(slot_code(ix, slot), 128, ix->code_bytes);
	*slot_meta(ix, slot) = (struct slot_meta){0};
	chunk_of(ix, slot)->residual[in_chunk(slot)] = 0;
	chunk_of(ix, slot)->crc[in_chunk(slot)] = 0;
	if (!ix->dir)
		memset(slot_code(ix, slot) + (slot_vector(ix, slot) - slot_code(ix, slot)), 0,
		       ix->vector_bytes);
}

void slots_reclaim(struct vector_index *ix, bool all)
{
	uint64_t oldest = oldest_search(ix);
	size_t kept = 0;

	for (size_t i = 0; i < ix->limbo.len; i++) {
		struct retired *t = &ix->limbo.items[i];

		while (all && t->epoch >= oldest) { /* a search takes milliseconds at most */
			(void)sched_yield();
			oldest = oldest_search(ix);
		}
		if (t->epoch >= oldest) {
			ix->limbo.items[kept++] = *t;
			continue;
		}
		erase_slot(ix, t->slot);
		if (ix->dir)
			retired_add(&ix->waiting, t->slot, t->epoch);
		else
			give_back(ix, t->slot);
	}
	ix->limbo.len = kept;
}

int slots_recycle(struct vector_index *ix, struct err *err)
{
	static const uint8_t zeros[VECTOR_DIMENSION_MAX * sizeof(float)];

	while (ix->waiting.len > 0) {
		uint32_t slot = ix->waiting.items[ix->waiting.len - 1].slot;
		int r = files_write_vector(ix, slot, zeros, err);

		if (r < 0)
			return r;
		give_back(ix, slot);
		ix->waiting.len--;
	}
	return 0;
}
