/*
 * Walking through the graph: the inner loop of searching and of building.
 *
 * A walk keeps the `ef` best slots that it has seen, best first, and follows the edges of the best
 * one that it has not followed yet, until it has followed all of them (Malkov & Yashunin, algorithm
 * 2). The list is a sorted array: at the sizes in use moving a few hundred bytes is cheaper than
 * the branches of a heap. Which slots were seen is a bit each, cleared at the start of each walk:
 * for a million vectors that is 125 KB, two microseconds.
 */
#include "vector/vector_int.h"

#include "base/mem.h"

#include <roaring/roaring.h>

#include "base/banned.h"

void candidates_reserve(struct candidates *c, size_t n)
{
	mem_grow(&c->items, &c->cap, n, sizeof(*c->items));
}

void scratch_init(struct vector_index *ix, struct scratch *s)
{
	*s = (struct scratch){0};
	s->query = mem_alloc_array(ix->code_bytes, 1);
	s->exact = mem_alloc_array(ix->dimension, sizeof(float));
}

void scratch_done(struct scratch *s)
{
	mem_free(s->visited);
	mem_free(s->pool.items);
	mem_free(s->queue.items);
	mem_free(s->query);
	mem_free(s->exact);
	mem_free(s->hits);
}

/* Forgets what was visited. */
static void scratch_begin(const struct vector_index *ix, struct scratch *s)
{
	size_t words;

	s->limit = atomic_load_explicit(&ix->slots, memory_order_acquire);
	words = (s->limit + 63U) / 64U;
	if (words > s->visited_cap)
		mem_grow(&s->visited, &s->visited_cap, words, sizeof(*s->visited));
	memset(s->visited, 0, words * sizeof(*s->visited));
	s->pool.len = 0;
}

/* False when it was seen before, or came after this walk began. */
static inline bool visit(struct scratch *s, uint32_t slot)
{
	uint64_t bit = 1ULL << (slot & 63U), *word;

	if (slot >= s->limit)
		return false;
	word = &s->visited[slot >> 6];
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

/* Scores the neighbors of a slot that were not visited yet; `ret` has room for EDGES_MAX. */
static size_t walk_neighbors(const struct vector_index *ix, struct scratch *s,
			     const struct code_query *q, uint32_t slot, unsigned layer,
			     struct candidate *ret)
{
	const uint8_t *codes[EDGES_MAX];
	int32_t dots[EDGES_MAX];
	unsigned max;
	size_t n = 0;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_acquire);

		if (to == EDGE_NONE)
			break;
		if (!visit(s, to))
			continue;
		ret[n].slot = to;
		codes[n] = slot_code(ix, to);
		lines_prefetch(codes[n++], ix->code_bytes);
	}
	ix->kernels->dot_query_many(codes, n, q->values, q->bias, ix->code_bytes, dots);
	for (size_t i = 0; i < n; i++)
		ret[i].score = code_score(q, slot_meta(ix, ret[i].slot), dots[i]);
	s->distances += n;
	s->expansions++;
	return n;
}

static struct candidate score_slot(const struct vector_index *ix, const struct code_query *q,
				   uint32_t slot)
{
	int32_t dot =
	    ix->kernels->dot_query(slot_code(ix, slot), q->values, q->bias, ix->code_bytes);

	return (struct candidate){code_score(q, slot_meta(ix, slot), dot), slot};
}

bool walk_descend(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		  unsigned layer, struct candidate *ret)
{
	struct candidate found[EDGES_MAX], best;
	uint64_t entry = atomic_load_explicit(&ix->entry, memory_order_acquire);
	unsigned from = (unsigned)(entry >> 32);
	bool moved;

	if (entry == ENTRY_NONE)
		return false;
	scratch_begin(ix, s);
	best = score_slot(ix, q, (uint32_t)entry);
	for (unsigned l = from; l > layer; l--) {
		do {
			size_t n = walk_neighbors(ix, s, q, best.slot, l, found);

			moved = false;
			for (size_t i = 0; i < n; i++) {
				if (found[i].score > best.score) {
					best = found[i];
					moved = true;
				}
			}
		} while (moved);
	}
	*ret = best;
	return true;
}

/* Where a score belongs in a list that is sorted best first. */
static inline size_t place_of(const struct candidates *pool, float score)
{
	size_t low = 0, high = pool->len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pool->items[middle].score >= score)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Most of what comes into the list is followed soon. */
static inline void edges_prefetch(const struct vector_index *ix, uint32_t slot, unsigned layer)
{
	unsigned max;
	const void *edges = slot_edges(ix, slot, layer, &max);

	lines_prefetch(edges, max * sizeof(uint32_t));
}

/* Puts it into the list of at most `ef`; returns its place. */
static inline size_t pool_add(struct candidates *pool, size_t ef, struct candidate c)
{
	size_t at = place_of(pool, c.score), last = pool->len < ef ? pool->len++ : ef - 1;

	memmove(&pool->items[at + 1], &pool->items[at], (last - at) * sizeof(c));
	pool->items[at] = c;
	return at;
}

void walk_layer(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		struct candidate from, struct walk_limits limits)
{
	struct candidates *pool = &s->pool;
	struct candidate found[EDGES_MAX];
	size_t next = 0, ef = limits.ef;

	scratch_begin(ix, s);
	if (from.slot >= s->limit) /* cannot be: what an edge leads to is counted first */
		return;
	candidates_reserve(pool, ef + 1);
	(void)visit(s, from.slot);
	(void)pool_add(pool, ef, from);
	while (next < pool->len) {
		size_t lowest = next + 1, n;
		uint32_t slot = pool->items[next].slot;

		pool->items[next].slot |= CANDIDATE_EXPANDED;
		n = walk_neighbors(ix, s, q, slot, limits.layer, found);
		for (size_t i = 0; i < n; i++) {
			size_t at;

			if (pool->len == ef && found[i].score <= pool->items[ef - 1].score)
				continue;
			at = pool_add(pool, ef, found[i]);
			edges_prefetch(ix, found[i].slot, limits.layer);
			if (at < lowest)
				lowest = at;
		}
		next = lowest;
		while (next < pool->len && pool->items[next].slot & CANDIDATE_EXPANDED)
			next++;
	}
	for (size_t i = 0; i < pool->len; i++)
		pool->items[i].slot &= ~CANDIDATE_EXPANDED;
}

/* --- with a filter --------------------------------------------------------------------------- */

/* A heap with the best on top. */
static void queue_push(struct candidates *heap, struct candidate c)
{
	size_t i;

	candidates_reserve(heap, heap->len + 1);
	for (i = heap->len++; i > 0 && heap->items[(i - 1) / 2].score < c.score; i = (i - 1) / 2)
		heap->items[i] = heap->items[(i - 1) / 2];
	heap->items[i] = c;
}

static struct candidate queue_pop(struct candidates *heap)
{
	struct candidate top = heap->items[0], last = heap->items[--heap->len];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->len)
			break;
		if (child + 1 < heap->len &&
		    heap->items[child + 1].score > heap->items[child].score)
			child++;
		if (heap->items[child].score <= last.score)
			break;
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i] = last;
	return top;
}

bool walk_filtered(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		   const struct vector_query *query, struct candidate from,
		   struct walk_filter limits)
{
	struct candidates *pool = &s->pool, *queue = &s->queue;
	struct candidate found[EDGES_MAX];
	size_t ef = limits.ef, n = 1;

	scratch_begin(ix, s);
	queue->len = 0;
	candidates_reserve(pool, ef + 1);
	(void)visit(s, from.slot);
	found[0] = from;
	for (;;) {
		struct candidate next;

		for (size_t i = 0; i < n; i++) {
			uint32_t id;

			if (pool->len == ef && found[i].score <= pool->items[ef - 1].score)
				continue;
			queue_push(queue, found[i]);
			id = slot_id(ix, found[i].slot);
			if (id != VECTOR_ID_NONE && roaring_bitmap_contains(query->filter, id))
				(void)pool_add(pool, ef, found[i]);
		}
		if (queue->len == 0)
			return true;
		next = queue_pop(queue);
		if (pool->len == ef && next.score < pool->items[ef - 1].score)
			return true;
		if (s->distances > limits.budget)
			return false;
		n = walk_neighbors(ix, s, q, next.slot, 0, found);
	}
}
