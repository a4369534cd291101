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
 * Pruning, here and when building, can take the last edge to a slot, or to a group of them. So at
 * the end the lowest layer is flooded from the entry point, and what stays dry gets an edge from
 * one near it that is not. That edge takes nothing else its way (graph_lead_to), so one pass does.
 */
#include "vector/vector_int.h"

#include "base/mem.h"

#include <math.h>

#include "base/banned.h"

/* A bit a slot. */
static uint64_t *new_marks(const struct vector_index *ix)
{
	return mem_alloc_array(ix->slots / 64U + 1U, sizeof(uint64_t));
}

static void mark(uint64_t *marks, uint32_t slot)
{
	marks[slot >> 6] |= 1ULL << (slot & 63U);
}

static bool is_marked(const uint64_t *marks, uint32_t slot)
{
	return marks[slot >> 6] >> (slot & 63U) & 1U;
}

static uint64_t *mark_dead(const struct vector_index *ix)
{
	uint64_t *dead = new_marks(ix);

	for (size_t i = 0; i < ix->dead.len; i++)
		mark(dead, ix->dead.items[i].slot);
	return dead;
}

/* A live slot that may become a neighbor, once. */
static void consider(struct vector_index *ix, const uint64_t *dead, uint32_t slot, uint32_t to)
{
	struct candidates *list = &ix->scratch.queue;

	if (to == slot || is_marked(dead, to))
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
		if (is_marked(dead, to))
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
		if (!is_marked(dead, to))
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

/* Marks what can be reached from a slot on layer 0; `stack` has room for all slots. */
static void flood(const struct vector_index *ix, uint64_t *seen, uint32_t *stack, uint32_t from)
{
	size_t n = 0;

	mark(seen, from);
	stack[n++] = from;
	while (n > 0) {
		unsigned max;
		_Atomic uint32_t *edges = slot_edges(ix, stack[--n], 0, &max);

		for (unsigned i = 0; i < max; i++) {
			uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

			if (to == EDGE_NONE)
				break;
			if (!is_marked(seen, to)) {
				mark(seen, to);
				stack[n++] = to;
			}
		}
	}
}

uint64_t *graph_reached(const struct vector_index *ix)
{
	uint64_t *seen = new_marks(ix);
	uint32_t *stack = mem_alloc_array((size_t)ix->slots + 1U, sizeof(*stack));

	if (ix->entry != ENTRY_NONE)
		flood(ix, seen, stack, (uint32_t)ix->entry);
	mem_free(stack);
	return seen;
}

bool graph_is_reached(const uint64_t *reached, uint32_t slot)
{
	return is_marked(reached, slot);
}

/* The nearest of a slot's own neighbors that can be reached; EDGE_NONE: none can. */
static uint32_t nearest_reached(const struct vector_index *ix, const uint64_t *seen, uint32_t slot)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, 0, &max);
	uint32_t nearest = EDGE_NONE;
	float least = HUGE_VALF;

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);
		float distance;

		if (to == EDGE_NONE)
			break;
		distance = is_marked(seen, to) ? pair_distance(ix, slot, to) : HUGE_VALF;
		if (distance < least) {
			least = distance;
			nearest = to;
		}
	}
	return nearest;
}

/* A slot that can be reached, to lead to one that cannot: one of its neighbors, or else the nearest
 * that a walk finds. */
static uint32_t find_parent(struct vector_index *ix, const uint64_t *seen, uint32_t slot)
{
	const struct candidates *pool = &ix->scratch.pool;
	unsigned max;
	uint32_t parent = nearest_reached(ix, seen, slot);

	if (parent != EDGE_NONE)
		return parent;
	graph_candidates(ix, slot);
	for (size_t i = 0; i < pool->len && parent == EDGE_NONE; i++) {
		if (is_marked(seen, pool->items[i].slot))
			parent = pool->items[i].slot;
	}
	if (atomic_load_explicit(&slot_edges(ix, slot, 0, &max)[0], memory_order_relaxed) ==
	    EDGE_NONE) /* all its neighbors, and theirs, were dead */
		(void)graph_choose_edges(ix, slot, 0);
	return parent != EDGE_NONE ? parent : (uint32_t)ix->entry;
}

void graph_connect(struct vector_index *ix)
{
	uint32_t *stack;
	uint64_t *seen;

	if (ix->entry == ENTRY_NONE)
		return;
	stack = mem_alloc_array((size_t)ix->slots + 1U, sizeof(*stack));
	seen = graph_reached(ix);
	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		if (is_marked(seen, slot) || slot_id(ix, slot) == VECTOR_ID_NONE)
			continue;
		graph_lead_to(ix, find_parent(ix, seen, slot), slot);
		flood(ix, seen, stack, slot);
	}
	mem_free(seen);
	mem_free(stack);
}

void graph_repair(struct vector_index *ix, uint32_t in_hand)
{
	uint64_t *dead = mark_dead(ix), epoch;

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		if (slot_id(ix, slot) == VECTOR_ID_NONE && slot != in_hand)
			continue;
		for (unsigned layer = 0; layer <= slot_layers(ix, slot); layer++)
			repair_edges(ix, dead, slot, layer);
	}
	if (ix->entry != ENTRY_NONE && is_marked(dead, (uint32_t)ix->entry))
		choose_entry(ix);
	mem_free(dead);
	graph_connect(ix);
	epoch = atomic_fetch_add(&ix->epoch, 1);
	for (size_t i = 0; i < ix->dead.len; i++)
		retired_add(&ix->limbo, ix->dead.items[i].slot, epoch);
	ix->dead.len = 0;
	slots_reclaim(ix, false);
}
