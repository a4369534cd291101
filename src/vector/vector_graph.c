/*
 * Building the graph.
 *
 * A new vector gets a random number of layers (each one a sixteenth as likely as the one below, for
 * m = 16). On each of them a walk finds ef_construction candidates; of these the nearest is linked,
 * and each further one unless it is nearer, by the factor alpha, to one that is linked already:
 * then the way over that one is short enough (RobustPrune of Vamana; HNSW's own rule is alpha = 1,
 * which leaves fewer long edges, and loses recall when vectors come and go). Then each of them gets
 * an edge back; a full list is pruned by the same rule.
 *
 * Distances here are squared L2 distances of the codes, whatever the metric: the rule needs real
 * distances, and for unit vectors they order as the cosine does.
 *
 * Vectors with the same code (a shop has thousands of equal short texts) would fill each other's
 * lists, or, kept out of them, be led to by nothing. So they stand in a row: a new one takes over
 * the edges of one that it equals, and just that one leads to it. Each has at most one edge to an
 * equal, which pruning always keeps.
 */
#include "vector/vector_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static uint64_t next_random(uint64_t *state) /* splitmix64, by Sebastiano Vigna; public domain */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

unsigned graph_random_layers(struct vector_index *ix)
{
	double uniform = ((double)(next_random(&ix->random) >> 11) + 1) * 0x1p-53; /* 0 < u <= 1 */
	double layers = -log(uniform) / log((double)ix->m);

	return layers < LAYERS_MAX - 1 ? (unsigned)layers : LAYERS_MAX - 1;
}

static bool are_equal(const struct vector_index *ix, uint32_t a, uint32_t b)
{
	const struct slot_meta *x = slot_meta(ix, a), *y = slot_meta(ix, b);

	return x->scale == y->scale && x->norm2 == y->norm2 &&
	       memcmp(slot_code(ix, a), slot_code(ix, b), ix->code_bytes) == 0;
}

float pair_distance(const struct vector_index *ix, uint32_t a, uint32_t b)
{
	const struct slot_meta *x = slot_meta(ix, a), *y = slot_meta(ix, b);
	int32_t dot;

	if (are_equal(ix, a, b))
		return DISTANCE_EQUAL;
	dot = ix->kernels->dot_pair(slot_code(ix, a), slot_code(ix, b), ix->code_bytes);
	return fmaxf(0, x->norm2 + y->norm2 - 2 * x->scale * y->scale * (float)dot);
}

static bool leads_elsewhere(const struct vector_index *ix, struct candidate c, const uint32_t *kept,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ix->alpha * pair_distance(ix, kept[i], c.slot) <= -c.score)
			return false; /* also the second of equal vectors */
	}
	return true;
}

size_t graph_prune(const struct vector_index *ix, const struct candidates *from, size_t max,
		   uint32_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < from->len && n < max; i++) {
		if (leads_elsewhere(ix, from->items[i], ret, n))
			ret[n++] = from->items[i].slot;
	}
	return n;
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

void candidates_sort(struct candidates *c)
{
	if (c->len > 1)
		qsort(c->items, c->len, sizeof(*c->items), compare_candidates);
}

void edges_store(_Atomic uint32_t *edges, unsigned max, const uint32_t *to, size_t n)
{
	for (unsigned i = 0; i < max; i++)
		atomic_store_explicit(&edges[i], i < n ? to[i] : EDGE_NONE, memory_order_release);
}

/* Of a full list and one more, those that prune keeps. */
static void replace_edges(struct vector_index *ix, uint32_t from, uint32_t to, unsigned layer)
{
	struct candidates *list = &ix->scratch.queue;
	uint32_t kept[EDGES_MAX];
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, layer, &max);

	candidates_reserve(list, max + 1U);
	for (unsigned i = 0; i < max; i++)
		lines_prefetch(slot_code(ix, atomic_load_explicit(&edges[i], memory_order_relaxed)),
			       ix->code_bytes);
	for (unsigned i = 0; i < max; i++) {
		uint32_t e = atomic_load_explicit(&edges[i], memory_order_relaxed);

		list->items[i] = (struct candidate){-pair_distance(ix, from, e), e};
	}
	list->items[max] = (struct candidate){-pair_distance(ix, from, to), to};
	list->len = max + 1U;
	candidates_sort(list);
	edges_store(edges, max, kept, graph_prune(ix, list, max, kept));
}

static void add_edge(struct vector_index *ix, uint32_t from, uint32_t to, unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, layer, &max);

	for (unsigned i = 0; i < max; i++) {
		if (atomic_load_explicit(&edges[i], memory_order_relaxed) == EDGE_NONE) {
			atomic_store_explicit(&edges[i], to, memory_order_release);
			return;
		}
	}
	replace_edges(ix, from, to, layer);
}

/* Of the walk's candidates those that are alive stay, with their distance as score. The first that
 * equals the slot is returned, else EDGE_NONE. */
static uint32_t take_candidates(struct vector_index *ix, uint32_t slot)
{
	struct candidates *pool = &ix->scratch.pool;
	float norm2 = slot_meta(ix, slot)->norm2;
	uint32_t equal = EDGE_NONE;
	size_t n = 0;

	for (size_t i = 0; i < pool->len; i++) { /* the dead get no new edges */
		struct candidate c = pool->items[i];

		c.score = fminf(0, c.score - norm2); /* minus the squared distance */
		if (slot_id(ix, c.slot) == VECTOR_ID_NONE || c.slot == slot)
			continue;
		if (equal == EDGE_NONE && are_equal(ix, slot, c.slot))
			equal = c.slot;
		pool->items[n++] = c;
	}
	pool->len = n;
	return equal;
}

static void copy_edges(struct vector_index *ix, uint32_t from, uint32_t slot, unsigned layer)
{
	uint32_t kept[EDGES_MAX];
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, layer, &max);
	size_t n = 0;

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

		if (to == EDGE_NONE)
			break;
		if (to != slot && slot_id(ix, to) != VECTOR_ID_NONE)
			kept[n++] = to;
	}
	edges_store(slot_edges(ix, slot, layer, &max), max, kept, n);
}

uint32_t graph_choose_edges(struct vector_index *ix, uint32_t slot, unsigned layer)
{
	uint32_t kept[EDGES_MAX] = {0}, equal = take_candidates(ix, slot);
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);

	if (equal == EDGE_NONE)
		edges_store(edges, max, kept, graph_prune(ix, &ix->scratch.pool, max, kept));
	else
		copy_edges(ix, equal, slot, layer);
	return equal;
}

/* The place in a list that is given up first: a free one, else that of the farthest. */
static unsigned worst_place(const struct vector_index *ix, uint32_t slot, unsigned layer)
{
	unsigned max, worst = 0;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);
	float farthest = -HUGE_VALF;

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);
		float distance;

		if (to == EDGE_NONE)
			return i;
		distance = pair_distance(ix, slot, to);
		if (distance > farthest) {
			farthest = distance;
			worst = i;
		}
	}
	return worst;
}

static bool has_edge(const struct vector_index *ix, uint32_t slot, uint32_t to, unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);

	for (unsigned i = 0; i < max; i++) {
		if (atomic_load_explicit(&edges[i], memory_order_relaxed) == to)
			return true;
	}
	return false;
}

/* `slot` takes over the edge at that place of `from`, and `from` leads to `slot` instead. */
static void put_between(struct vector_index *ix, uint32_t from, unsigned place, uint32_t slot,
			unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, layer, &max);
	uint32_t old = atomic_load_explicit(&edges[place], memory_order_relaxed);

	if (old != EDGE_NONE && old != slot && !has_edge(ix, slot, old, layer))
		atomic_store_explicit(
		    &slot_edges(ix, slot, layer, &max)[worst_place(ix, slot, layer)], old,
		    memory_order_release);
	atomic_store_explicit(&edges[place], slot, memory_order_release);
}

/* In front of the next equal one, if there is one already. */
static void add_equal(struct vector_index *ix, uint32_t from, uint32_t slot, unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, layer, &max);

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

		if (to == EDGE_NONE)
			break;
		if (are_equal(ix, from, to)) {
			put_between(ix, from, i, slot, layer);
			return;
		}
	}
	put_between(ix, from, worst_place(ix, from, layer), slot, layer);
}

void graph_lead_to(struct vector_index *ix, uint32_t from, uint32_t slot)
{
	if (are_equal(ix, from, slot))
		add_equal(ix, from, slot, 0);
	else
		put_between(ix, from, worst_place(ix, from, 0), slot, 0);
}

/* The others lead to the slot, too. */
static void announce(struct vector_index *ix, uint32_t slot, uint32_t equal, unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);

	if (equal != EDGE_NONE) {
		add_equal(ix, equal, slot, layer);
		return;
	}
	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

		if (to == EDGE_NONE)
			return;
		add_edge(ix, to, slot, layer);
	}
}

static struct code_query query_of_slot(struct vector_index *ix, uint32_t slot)
{
	const uint8_t *code = slot_code(ix, slot);
	int8_t *values = ix->scratch.query;
	int32_t sum = 0;

	for (size_t i = 0; i < ix->code_bytes; i++) {
		values[i] = (int8_t)(code[i] - 128);
		sum += values[i];
	}
	return (struct code_query){values, 128 * sum, 2 * slot_meta(ix, slot)->scale, 1};
}

/*
 * False when all that the walks found was dead. Others lead to the slot from below upwards, and
 * only when it has all its edges: a search that comes to it on a layer can go on from there.
 */
static bool link_layers(struct vector_index *ix, uint32_t slot, unsigned layers)
{
	struct scratch *s = &ix->scratch;
	struct code_query q = query_of_slot(ix, slot);
	uint32_t equals[LAYERS_MAX] = {0};
	struct candidate best;
	unsigned max;

	if (!walk_descend(ix, s, &q, layers, &best))
		return true; /* the graph is empty */
	for (unsigned layer = layers + 1; layer-- > 0;) {
		walk_layer(ix, s, &q, best, (struct walk_limits){layer, ix->ef_construction});
		best = s->pool.items[0];
		equals[layer] = graph_choose_edges(ix, slot, layer);
	}
	for (unsigned layer = 0; layer <= layers; layer++)
		announce(ix, slot, equals[layer], layer);
	return atomic_load_explicit(&slot_edges(ix, slot, 0, &max)[0], memory_order_relaxed) !=
	       EDGE_NONE;
}

void graph_candidates(struct vector_index *ix, uint32_t slot)
{
	struct code_query q = query_of_slot(ix, slot);
	struct candidate from;

	ix->scratch.pool.len = 0;
	if (walk_descend(ix, &ix->scratch, &q, 0, &from))
		walk_layer(ix, &ix->scratch, &q, from,
			   (struct walk_limits){0, ix->ef_construction});
}

void graph_insert(struct vector_index *ix, uint32_t slot)
{
	unsigned layers = slot_layers(ix, slot), top;

	if (ix->entry != ENTRY_NONE) {
		top = (unsigned)(ix->entry >> 32);
		if (!link_layers(ix, slot, layers < top ? layers : top)) {
			graph_repair(ix, slot); /* it stands among the dead */
			(void)link_layers(ix, slot, 0);
		}
	}
	if (ix->entry == ENTRY_NONE || layers > (unsigned)(ix->entry >> 32))
		atomic_store_explicit(&ix->entry, (uint64_t)layers << 32 | slot,
				      memory_order_release);
}
