/*
 * Repair after deletion.
 *
 * A deleted vector loses its id at once and is never found again, but its slot stays in the graph
 * as a stepping stone. When enough have gathered, one pass over the edges takes them out: a slot
 * with an edge to a dead one gets as candidates its other neighbors and the neighbors of the dead
 * one, and the pruning rule of building chooses among them (FreshDiskANN, algorithm 4, here on
 * every layer). Bridging by the dead one's neighbors and pruning with alpha is what keeps recall
 * level over many rounds; marking and reusing slots in place is what loses it.
 *
 * Then slots of layer 0 that no edge leads to any more, which pruning can leave, get one from their
 * nearest neighbor.
 */
#include "vector/vector_int.h"

#include "base/mem.h"

#include "base/banned.h"

static bool is_dead(const uint64_t *dead, uint32_t slot)
{
	return dead[slot >> 6] >> (slot & 63U) & 1U;
}

static uint64_t *mark_dead(const struct vector_index *ix)
{
	uint64_t *dead = mem_alloc_array(ix->slots / 64U + 1U, sizeof(*dead));

	for (size_t i = 0; i < ix->dead.len; i++) {
		uint32_t slot = ix->dead.items[i].slot;

		dead[slot >> 6] |= 1ULL << (slot & 63U);
	}
	return dead;
}

/* A live slot that may become a neighbor, once. */
static void consider(struct vector_index *ix, const uint64_t *dead, uint32_t slot, uint32_t to)
{
	struct candidates *list = &ix->scratch.queue;

	if (to == slot || is_dead(dead, to))
		return;
	for (size_t i = 0; i < list->len; i++) {
		if (list->items[i].slot == to)
			return;
	}
	candidates_reserve(list, list->len + 1);
	list->items[list->len++] = (struct candidate){-pair_distance(ix, slot, to), to};
}

static bool touches_dead(const uint64_t *dead, _Atomic uint32_t *edges, unsigned max)
{
	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

		if (to == EDGE_NONE)
			return false;
		if (is_dead(dead, to))
			return true;
	}
	return false;
}

static void repair_edges(struct vector_index *ix, const uint64_t *dead, uint32_t slot,
			 unsigned layer)
{
	struct candidates *list = &ix->scratch.queue;
	uint32_t kept[EDGES_MAX];
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);

	if (!touches_dead(dead, edges, max))
		return;
	list->len = 0;
	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);
		_Atomic uint32_t *beyond;
		unsigned beyond_max;

		if (to == EDGE_NONE)
			break;
		consider(ix, dead, slot, to);
		if (!is_dead(dead, to))
			continue;
		beyond = slot_edges(ix, to, layer, &beyond_max);
		for (unsigned j = 0; j < beyond_max; j++) {
			uint32_t next = atomic_load_explicit(&beyond[j], memory_order_relaxed);

			if (next == EDGE_NONE)
				break;
			consider(ix, dead, slot, next);
		}
	}
	candidates_sort(list);
	edges_store(edges, max, kept, graph_prune(ix, list, max, kept));
}

/* Among the live, one of the highest; the graph is empty without any. */
static void choose_entry(struct vector_index *ix)
{
	uint64_t best = ENTRY_NONE;

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		uint64_t here;

		if (slot_id(ix, slot) == VECTOR_ID_NONE)
			continue;
		here = (uint64_t)slot_layers(ix, slot) << 32 | slot;
		if (best == ENTRY_NONE || here >> 32 > best >> 32)
			best = here;
	}
	atomic_store_explicit(&ix->entry, best, memory_order_release);
}

/* How many edges of layer 0 lead to each slot. */
static uint32_t *count_edges_in(const struct vector_index *ix)
{
	uint32_t *in = mem_alloc_array((size_t)ix->slots + 1U, sizeof(*in));

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		unsigned max;
		_Atomic uint32_t *edges;

		if (slot_id(ix, slot) == VECTOR_ID_NONE)
			continue;
		edges = slot_edges(ix, slot, 0, &max);
		for (unsigned i = 0; i < max; i++) {
			uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

			if (to == EDGE_NONE)
				break;
			in[to]++;
		}
	}
	return in;
}

/* An edge to an orphan, in a free place or for the farthest neighbor that has others. */
static bool adopt(struct vector_index *ix, uint32_t *in, uint32_t from, uint32_t orphan)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, from, 0, &max);
	unsigned worst = max;
	float farthest = -1;

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);
		float distance;

		if (to == EDGE_NONE) {
			worst = i;
			farthest = -1;
			break;
		}
		distance = pair_distance(ix, from, to);
		if (in[to] > 1 && distance > farthest) {
			farthest = distance;
			worst = i;
		}
	}
	if (worst == max)
		return false;
	if (farthest >= 0)
		in[atomic_load_explicit(&edges[worst], memory_order_relaxed)]--;
	atomic_store_explicit(&edges[worst], orphan, memory_order_release);
	in[orphan]++;
	return true;
}

/* Slots whose neighbors and theirs all died are linked anew; then none is without an edge to it. */
static void adopt_orphans(struct vector_index *ix)
{
	uint32_t *in;

	for (uint32_t slot = 0; slot < ix->slots && ix->live > 1; slot++) {
		unsigned max;

		if (slot_id(ix, slot) != VECTOR_ID_NONE &&
		    atomic_load_explicit(&slot_edges(ix, slot, 0, &max)[0], memory_order_relaxed) ==
			EDGE_NONE)
			graph_relink(ix, slot);
	}
	in = count_edges_in(ix);
	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		unsigned max;
		_Atomic uint32_t *edges;

		if (in[slot] || slot_id(ix, slot) == VECTOR_ID_NONE)
			continue;
		edges = slot_edges(ix, slot, 0, &max);
		for (unsigned i = 0; i < max; i++) {
			uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

			if (to == EDGE_NONE || adopt(ix, in, to, slot))
				break;
		}
	}
	mem_free(in);
}

void graph_repair(struct vector_index *ix)
{
	uint64_t *dead = mark_dead(ix), epoch;

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		if (slot_id(ix, slot) == VECTOR_ID_NONE)
			continue;
		for (unsigned layer = 0; layer <= slot_layers(ix, slot); layer++)
			repair_edges(ix, dead, slot, layer);
	}
	if (ix->entry != ENTRY_NONE && is_dead(dead, (uint32_t)ix->entry))
		choose_entry(ix);
	mem_free(dead);
	adopt_orphans(ix);
	epoch = atomic_fetch_add(&ix->epoch, 1);
	for (size_t i = 0; i < ix->dead.len; i++)
		retired_add(&ix->limbo, ix->dead.items[i].slot, epoch);
	ix->dead.len = 0;
	slots_reclaim(ix, false);
}
