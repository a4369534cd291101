/*
 * Building the graph.
 *
 * A new vector gets a random number of layers (each one a sixteenth as likely as the one below, for
 * m = 16). On each of them a walk finds ef_construction candidates; of these the nearest is linked,
 * and each further one unless it is nearer, by the factor alpha, to one that is linked already:
 * then the way over that one is short enough (RobustPrune of Vamana; HNSW's own rule is alpha = 1,
 * which leaves fewer long edges, and loses recall when vectors come and go). Then each of them gets
 * an edge back; a full list is pruned by the same rule, and a little below its size, so that not
 * each new neighbor prunes it again.
 *
 * Distances here are squared L2 distances of the codes, whatever the metric: the rule needs real
 * distances, and for unit vectors they order as the cosine does.
 */
#include "vector/vector_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

/* Of a full list this share stays when it is pruned. Measured: 0.8 builds a third faster than 1.0
 * at the same recall. */
#define PRUNED_SHARE 0.8F

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

float pair_distance(const struct vector_index *ix, uint32_t a, uint32_t b)
{
	const struct slot_meta *x = slot_meta(ix, a), *y = slot_meta(ix, b);
	int32_t dot = ix->kernels->dot_pair(slot_code(ix, a), slot_code(ix, b), ix->code_bytes);

	return fmaxf(0, x->norm2 + y->norm2 - 2 * x->scale * y->scale * (float)dot);
}

static bool leads_elsewhere(const struct vector_index *ix, struct candidate c, const uint32_t *kept,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ix->alpha * pair_distance(ix, kept[i], c.slot) <= -c.score)
			return false; /* also the second of equal vectors: no islands of them */
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
	for (unsigned i = 0; i < max; i++) {
		uint32_t e = atomic_load_explicit(&edges[i], memory_order_relaxed);

		list->items[i] = (struct candidate){-pair_distance(ix, from, e), e};
	}
	list->items[max] = (struct candidate){-pair_distance(ix, from, to), to};
	list->len = max + 1U;
	candidates_sort(list);
	edges_store(edges, max, kept,
		    graph_prune(ix, list, (size_t)((float)max * PRUNED_SHARE), kept));
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

/* Links the slot with the best of the walk's candidates, both ways. Returns with how many. */
static size_t link_slot(struct vector_index *ix, uint32_t slot, unsigned layer)
{
	struct candidates *pool = &ix->scratch.pool;
	float norm2 = slot_meta(ix, slot)->norm2;
	uint32_t kept[EDGES_MAX];
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);
	size_t n = 0;

	for (size_t i = 0; i < pool->len; i++) { /* the dead get no new edges */
		struct candidate c = pool->items[i];

		c.score = fminf(0, c.score - norm2); /* minus the squared distance */
		if (slot_id(ix, c.slot) != VECTOR_ID_NONE && c.slot != slot)
			pool->items[n++] = c;
	}
	pool->len = n;
	n = graph_prune(ix, pool, (size_t)((float)max * PRUNED_SHARE), kept);
	edges_store(edges, max, kept, n);
	for (size_t i = 0; i < n; i++)
		add_edge(ix, kept[i], slot, layer);
	return n;
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

/* False when all that the walks found was dead. */
static bool link_layers(struct vector_index *ix, uint32_t slot, unsigned layers)
{
	struct scratch *s = &ix->scratch;
	struct code_query q = query_of_slot(ix, slot);
	struct candidate best;
	bool has_edges = true;

	best = walk_descend(ix, s, &q, layers);
	for (unsigned layer = layers + 1; layer-- > 0;) {
		walk_layer(ix, s, &q, best, (struct walk_limits){layer, ix->ef_construction});
		best = s->pool.items[0];
		has_edges = link_slot(ix, slot, layer) > 0;
	}
	return has_edges;
}

void graph_candidates(struct vector_index *ix, uint32_t slot)
{
	struct code_query q = query_of_slot(ix, slot);
	struct candidate from = walk_descend(ix, &ix->scratch, &q, 0);

	walk_layer(ix, &ix->scratch, &q, from, (struct walk_limits){0, ix->ef_construction});
}

void graph_relink(struct vector_index *ix, uint32_t slot)
{
	(void)link_layers(ix, slot, 0);
}

void graph_insert(struct vector_index *ix, uint32_t slot)
{
	unsigned layers = slot_layers(ix, slot), top;

	if (ix->entry != ENTRY_NONE) {
		top = (unsigned)(ix->entry >> 32);
		if (!link_layers(ix, slot, layers < top ? layers : top)) {
			graph_repair(ix); /* it stands among the dead */
			if (ix->entry != ENTRY_NONE) {
				top = (unsigned)(ix->entry >> 32);
				(void)link_layers(ix, slot, layers < top ? layers : top);
			}
		}
	}
	if (ix->entry == ENTRY_NONE || layers > (unsigned)(ix->entry >> 32))
		atomic_store_explicit(&ix->entry, (uint64_t)layers << 32 | slot,
				      memory_order_release);
}
