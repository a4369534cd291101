/*
 * Proof of an index: what opening checks (vector_file.c), and what would take it too long: that
 * each stored vector is the one that was written, that its code belongs to it, and that the graph
 * leads to it.
 */
#include "vector/vector_file.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>

#include "base/banned.h"

#define NORM_TOLERANCE 1e-4F /* far above rounding */

struct check {
	struct vector_index *ix;
	vector_problem_fn fn;
	void *arg;
	uint64_t problems;
};

static void problem(struct check *c, const char *what, uint32_t slot)
{
	char text[160];

	c->problems++;
	(void)snprintf(text, sizeof(text), "vector %u (slot %u): %s", slot_id(c->ix, slot), slot,
		       what);
	if (c->fn)
		c->fn(c->arg, text);
}

static void check_vector(struct check *c, uint32_t slot)
{
	struct vector_index *ix = c->ix;
	const struct slot_meta *m = slot_meta(ix, slot);
	const void *stored = slot_vector(ix, slot);
	struct code_facts facts;
	float norm2;

	if (crc32c(0, stored, ix->vector_bytes) != chunk_of(ix, slot)->crc[in_chunk(slot)]) {
		problem(c, "the stored vector is not the one that was written", slot);
		return;
	}
	if (ix->precision == VECTOR_F16)
		ix->kernels->from_f16(stored, ix->stored, ix->dimension);
	else
		memcpy(ix->stored, stored, ix->vector_bytes);
	facts = code_make(ix, ix->stored, ix->code);
	if (facts.scale != m->scale || memcmp(ix->code, slot_code(ix, slot), ix->code_bytes) != 0)
		problem(c, "its code is that of another vector", slot);
	norm2 = vector_norm2(ix, ix->stored); /* kernels differ in the order of their sums */
	if (fabsf(norm2 - m->norm2) > NORM_TOLERANCE * norm2)
		problem(c, "its norm is that of another vector", slot);
	if (ids_get(ix, slot_id(ix, slot)) != slot)
		problem(c, "its id leads to another slot", slot);
}

static void check_reachable(struct check *c)
{
	uint64_t *reached = graph_reached(c->ix);

	for (uint32_t slot = 0; slot < c->ix->slots; slot++) {
		if (slot_id(c->ix, slot) != VECTOR_ID_NONE && !graph_is_reached(reached, slot))
			problem(c, "no way through the graph leads to it", slot);
	}
	mem_free(reached);
}

uint64_t vector_check(struct vector_index *ix, vector_problem_fn fn, void *arg)
{
	struct check c = {.ix = ix, .fn = fn, .arg = arg};

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		if (slot_id(ix, slot) != VECTOR_ID_NONE)
			check_vector(&c, slot);
	}
	if (ix->kind == VECTOR_GRAPH)
		check_reachable(&c);
	return c.problems;
}
