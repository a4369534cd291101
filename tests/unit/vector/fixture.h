/*
 * Vectors for tests: clusters of neighbors around random centers, as embeddings of texts are,
 * always the same for the same seed. And the truth: the nearest by comparing with all of them.
 */
#pragma once

#include "vector/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	unsigned dimension;
	size_t n;
	float *vectors;
};

void fixture_make(struct fixture *f, size_t n, unsigned dimension, uint64_t seed);
void fixture_done(struct fixture *f);
static inline const float *fixture_at(const struct fixture *f, size_t i)
{
	return f->vectors + i * f->dimension;
}

uint64_t fixture_random(uint64_t *state);

/* Score as the metric has it, in double. */
double fixture_score(enum vector_metric metric, const float *a, const float *b, unsigned n);

/*
 * The share of the true k nearest (of those ids i of `f` for which is_there[i]; NULL: all) that a
 * search with `ef` finds, over `queries` of another fixture.
 */
struct fixture_search {
	struct vector_index *index;
	const struct fixture *vectors, *queries;
	const bool *is_there;
	const struct roaring_bitmap_s *filter;
	size_t k;
	unsigned ef;
	bool exact;
};
double fixture_recall(const struct fixture_search *s);

/* A new folder for temporary files; the caller removes it with dir_remove(). */
char *fixture_dir(void);

#define assert_ok(call)                                                         \
	do {                                                                    \
		if ((call) != 0)                                                \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, err.message); \
	} while (0)
