/* What the index finds: against the truth, after every kind of change. */
#include "base/file.h"
#include "fixture.h"

#include <math.h>
#include <roaring/roaring.h>

#ifdef __SANITIZE_THREAD__ /* thirty times slower, and nothing here has a second thread */
#define VECTORS 1000U
#else
#define VECTORS 3000U
#endif
#define DIMENSION 48U
#define QUERIES	  60U

static struct fixture vectors, queries;

static int make_fixtures(void **state)
{
	(void)state;
	fixture_make(&vectors, VECTORS, DIMENSION, 1);
	fixture_make(&queries, QUERIES, DIMENSION, 2);
	return 0;
}

static int drop_fixtures(void **state)
{
	(void)state;
	fixture_done(&vectors);
	fixture_done(&queries);
	return 0;
}

static struct vector_index *filled(const struct vector_options *options, size_t n)
{
	struct vector_index *ix;
	struct err err = {0};

	assert_ok(vector_open(NULL, options, &ix, &err));
	for (size_t i = 0; i < n; i++)
		assert_ok(vector_put(ix, (uint32_t)i, fixture_at(&vectors, i), &err));
	return ix;
}

static void close_index(struct vector_index *ix)
{
	struct err err = {0};

	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	assert_ok(vector_close(ix, &err));
}

static struct fixture_search search_of(struct vector_index *ix)
{
	return (struct fixture_search){
	    .index = ix, .vectors = &vectors, .queries = &queries, .k = 10, .ef = 64};
}

/* Recall floors by metric and precision, for the graph. */
static void graph_finds_the_nearest_by_every_metric(void **state)
{
	static const double floors[] = {
	    [VECTOR_COSINE] = 0.97, [VECTOR_INNER_PRODUCT] = 0.90, [VECTOR_L2] = 0.97};

	(void)state;
	for (enum vector_metric m = VECTOR_COSINE; m <= VECTOR_L2; m++) {
		for (enum vector_precision p = VECTOR_F32; p <= VECTOR_F16; p++) {
			struct vector_options o = {
			    .dimension = DIMENSION, .metric = m, .precision = p};
			struct vector_index *ix = filled(&o, VECTORS);
			struct fixture_search s = search_of(ix);

			assert_true(fixture_recall(&s) >= floors[m]);
			close_index(ix);
		}
	}
}

/* Not a floor: all of them, every time. */
static void exact_index_is_always_right(void **state)
{
	(void)state;
	for (enum vector_metric m = VECTOR_COSINE; m <= VECTOR_L2; m++) {
		struct vector_options o = {
		    .dimension = DIMENSION, .metric = m, .kind = VECTOR_EXACT};
		struct vector_index *ix = filled(&o, VECTORS);
		struct fixture_search s = search_of(ix);

		assert_true(fixture_recall(&s) >= 1);
		s.k = 100;
		assert_true(fixture_recall(&s) >= 1);
		close_index(ix);
	}
}

static void exact_search_of_a_graph_is_always_right(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture_search s = search_of(ix);

	(void)state;
	s.exact = true;
	assert_true(fixture_recall(&s) >= 1);
	close_index(ix);
}

static void a_vector_finds_itself_first(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct vector_reader *r;
	struct err err = {0};
	unsigned found = 0;

	(void)state;
	assert_ok(vector_reader_new(ix, &r, &err));
	for (uint32_t i = 0; i < VECTORS; i++) {
		struct vector_query q = {.vector = fixture_at(&vectors, i), .k = 1};
		struct vector_hit hit;
		size_t n;

		assert_ok(vector_search(r, &q, &hit, &n, NULL, &err));
		assert_int_equal(n, 1);
		found += hit.id == i;
	}
	assert_true(found >= VECTORS - 3);
	(void)vector_reader_free(r);
	close_index(ix);
}

static void deleted_vectors_are_not_found_and_others_are(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	bool is_there[VECTORS];
	struct fixture_search s = search_of(ix);
	struct err err = {0};

	(void)state;
	for (uint32_t i = 0; i < VECTORS; i++) {
		is_there[i] = i % 3 != 0;
		if (!is_there[i])
			assert_ok(vector_delete(ix, i, &err));
	}
	s.is_there = is_there;
	assert_true(fixture_recall(&s) >= 0.97);
	assert_int_equal(vector_delete(ix, 0, &err), -ERR_NOT_FOUND);
	close_index(ix);
}

/* Ten rounds of deleting a fifth and putting it back: within 0.01 of a fresh build. */
static void churn_loses_no_recall(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture_search s = search_of(ix);
	double fresh, churned;
	uint64_t random = 3;
	struct err err = {0};

	(void)state;
	s.ef = 24;
	fresh = fixture_recall(&s);
	for (int round = 0; round < 10; round++) {
		uint32_t gone[VECTORS / 5], n = 0;

		while (n < VECTORS / 5) {
			uint32_t id = (uint32_t)(fixture_random(&random) % VECTORS);

			if (vector_delete(ix, id, &err) == 0)
				gone[n++] = id;
		}
		while (n-- > 0)
			assert_ok(vector_put(ix, gone[n], fixture_at(&vectors, gone[n]), &err));
	}
	churned = fixture_recall(&s);
	assert_true(churned >= fresh - 0.01);
	close_index(ix);
}

static void a_replaced_vector_is_found_where_it_is_now(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, 500);
	struct vector_reader *r;
	struct vector_hit hits[2];
	struct vector_query q = {.k = 1};
	struct vector_stats stats;
	struct err err = {0};
	size_t n;

	(void)state;
	assert_ok(vector_put(ix, 7, fixture_at(&vectors, VECTORS - 1), &err));
	assert_ok(vector_put(ix, 7, fixture_at(&vectors, VECTORS - 1), &err)); /* again: nothing */
	vector_stats(ix, &stats);
	assert_int_equal(stats.vectors, 500);
	assert_int_equal(stats.deleted, 1);
	assert_ok(vector_reader_new(ix, &r, &err));
	q.vector = fixture_at(&vectors, VECTORS - 1);
	assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
	assert_int_equal(hits[0].id, 7);
	assert_true(hits[0].score > 0.999F);
	q.vector = fixture_at(&vectors, 7);
	assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
	assert_true(hits[0].score < 0.999F);
	(void)vector_reader_free(r);
	close_index(ix);
}

static roaring_bitmap_t *every(uint32_t step)
{
	return roaring_bitmap_from_range(0, VECTORS, step);
}

static void filtered_search_is_never_short_at_any_share(void **state)
{
	static const uint32_t steps[] = {1, 2, 3, 5, 10, 30, 100, 300, 1000, 2999};
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture_search s = search_of(ix);

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		roaring_bitmap_t *filter = every(steps[i]);

		s.filter = filter; /* fixture_recall() asserts that no answer is short */
		assert_true(fixture_recall(&s) >= (steps[i] >= 100 ? 1 : 0.95));
		roaring_bitmap_free(filter);
	}
	close_index(ix);
}

/* The filter allows just what is farthest from the query. */
static void filter_against_the_query_is_never_short(void **state)
{
	/* The best of them are all about 0: f16 would tie them. */
	struct vector_options o = {.dimension = DIMENSION, .precision = VECTOR_F32};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture one = {.dimension = DIMENSION, .n = 1};
	struct fixture_search s = search_of(ix);

	(void)state;
	s.queries = &one;
	for (size_t i = 0; i < 20; i++) {
		roaring_bitmap_t *filter = roaring_bitmap_create();

		one.vectors = (float *)(uintptr_t)fixture_at(&queries, i);
		for (uint32_t j = 0; j < VECTORS; j++) {
			if (fixture_score(VECTOR_COSINE, fixture_at(&queries, i),
					  fixture_at(&vectors, j), DIMENSION) < 0)
				roaring_bitmap_add(filter, j);
		}
		s.filter = filter;
		assert_true(fixture_recall(&s) >= 0.95);
		roaring_bitmap_free(filter);
	}
	close_index(ix);
}

static void a_filter_of_unknown_ids_finds_nothing(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, 100);
	roaring_bitmap_t *filter = roaring_bitmap_of(3, 1000U, 5000000U, UINT32_MAX);
	struct vector_query q = {.vector = fixture_at(&queries, 0), .k = 5, .filter = filter};
	struct vector_hit hits[5];
	struct vector_reader *r;
	struct err err = {0};
	size_t n = 9;

	(void)state;
	assert_ok(vector_reader_new(ix, &r, &err));
	assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
	assert_int_equal(n, 0);
	(void)vector_reader_free(r);
	roaring_bitmap_free(filter);
	close_index(ix);
}

/* Equal vectors must not become an island that no walk enters, or leaves. */
static void many_equal_vectors_hide_nothing(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, 1000);
	struct vector_reader *r;
	struct err err = {0};
	struct vector_hit hits[10];
	size_t n;

	(void)state;
	for (uint32_t i = 0; i < 600; i++)
		assert_ok(vector_put(ix, 10000 + i, fixture_at(&vectors, VECTORS / 2), &err));
	assert_ok(vector_checkpoint(ix, &err));
	assert_ok(vector_reader_new(ix, &r, &err));
	for (uint32_t i = 0; i < 1000; i += 10) {
		struct vector_query q = {.vector = fixture_at(&vectors, i), .k = 10};

		assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
		assert_int_equal(n, 10);
		assert_int_equal(hits[0].id, i);
	}
	(void)vector_reader_free(r);
	close_index(ix);
}

/* A shop's thousands of equal texts: they took each other's edges, and those of all others. */
static void thousands_of_equal_vectors_leave_the_graph_whole(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture_search s = search_of(ix);
	struct err err = {0};

	(void)state;
	for (uint32_t i = 0; i < 4000; i++)
		assert_ok(vector_put(ix, VECTORS + i, fixture_at(&queries, 0), &err));
	assert_ok(vector_checkpoint(ix, &err));
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	for (uint32_t i = 0; i < 4000; i += 3)
		assert_ok(vector_delete(ix, VECTORS + i, &err));
	assert_ok(vector_checkpoint(ix, &err));
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	for (uint32_t i = 0; i < 4000; i++)
		(void)!vector_delete(ix, VECTORS + i, &err);
	assert_true(fixture_recall(&s) >= 0.97);
	close_index(ix);
}

/* A walk for the place of a new vector that finds only dead ones has the graph repaired, in the
 * middle of the insert: on no layer may the new slot keep an edge to one that is erased then. */
static void what_is_put_among_the_dead_leads_to_none_of_them(void **state)
{
	struct vector_options o = {.dimension = 8, .m = 2, .ef_construction = 4};
	uint32_t id = 100000;
	struct vector_index *ix;
	struct err err = {0};
	uint64_t random = 11;

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (uint32_t i = 0; i < 100; i++)
		assert_ok(vector_put(ix, i, fixture_at(&vectors, i), &err));
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 30; i++)
			assert_ok(vector_put(ix, id + (uint32_t)i, fixture_at(&queries, 0), &err));
		for (int i = 0; i < 30; i++) { /* few stay, on whatever layer they are */
			if (fixture_random(&random) % 10)
				assert_ok(vector_delete(ix, id + (uint32_t)i, &err));
		}
		for (int i = 0; i < 4; i++)
			assert_ok(vector_put(ix, id++, fixture_at(&queries, 0), &err));
		for (uint32_t i = id - 4; i < id + 30; i++)
			(void)!vector_delete(ix, i, NULL);
	}
	assert_ok(vector_checkpoint(ix, &err));
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	close_index(ix);
}

/* The dead among a walk's candidates must not make every search for many a scan. */
static void a_walk_finds_k_among_the_dead(void **state)
{
	struct vector_options o = {.dimension = 4, .m = 4};
	struct vector_index *ix;
	struct vector_hit hits[100];
	struct vector_trace trace;
	struct vector_reader *r;
	struct err err = {0};
	uint64_t random = 4;
	size_t n;

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (uint32_t i = 0; i < 8000; i++) {
		const float *v = fixture_at(&vectors, i % VECTORS) + fixture_random(&random) % 40;

		assert_ok(vector_put(ix, i, v, &err));
	}
	for (uint32_t i = 0; i < 400; i++)
		assert_ok(vector_delete(ix, i * 20, &err));
	assert_ok(vector_reader_new(ix, &r, &err));
	for (size_t i = 0; i < QUERIES; i++) {
		struct vector_query q = {.vector = fixture_at(&queries, i), .k = 100};

		assert_ok(vector_search(r, &q, hits, &n, &trace, &err));
		assert_int_equal(n, 100);
		assert_int_equal(trace.plan, VECTOR_PLAN_WALK);
	}
	(void)vector_reader_free(r);
	close_index(ix);
}

/* A distance must not be the small difference of two large numbers. */
static void vectors_far_from_the_origin_are_told_apart(void **state)
{
	struct vector_options o = {.dimension = DIMENSION,
				   .kind = VECTOR_EXACT,
				   .metric = VECTOR_L2,
				   .precision = VECTOR_F32};
	struct vector_index *ix;
	struct vector_reader *r;
	struct vector_hit hit;
	struct err err = {0};
	float v[DIMENSION];
	size_t n;

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (int round = 0; round < 2; round++) {
		assert_ok(vector_reader_new(ix, &r, &err));
		for (uint32_t i = 0; i < 300; i++) {
			for (unsigned j = 0; j < DIMENSION; j++)
				v[j] = 100 + 0.01F * fixture_at(&vectors, i)[j];
			if (round == 0) {
				assert_ok(vector_put(ix, i, v, &err));
				continue;
			}
			assert_ok(vector_search(r, &(struct vector_query){.vector = v, .k = 1},
						&hit, &n, NULL, &err));
			assert_int_equal(hit.id, i);
			assert_true(hit.score >= 0 && hit.score <= 0);
		}
		(void)vector_reader_free(r);
	}
	close_index(ix);
}

/* All numbers but one: more than could be looked at one by one. */
static void a_filter_may_be_larger_than_the_index(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, VECTORS);
	struct fixture_search s = search_of(ix);
	roaring_bitmap_t *filter = roaring_bitmap_from_range(0, (uint64_t)UINT32_MAX + 1, 1);

	(void)state;
	roaring_bitmap_remove(filter, 17);
	s.filter = filter;
	assert_true(fixture_recall(&s) >= 0.97);
	s.exact = true;
	assert_true(fixture_recall(&s) >= 1);
	roaring_bitmap_free(filter);
	close_index(ix);
}

static void an_empty_index_answers_with_nothing(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, 30);
	struct vector_query q = {.vector = fixture_at(&queries, 0), .k = 10};
	struct vector_reader *r;
	struct vector_hit hits[10];
	struct err err = {0};
	size_t n;

	(void)state;
	assert_ok(vector_reader_new(ix, &r, &err));
	for (uint32_t i = 0; i < 30; i++)
		assert_ok(vector_delete(ix, i, &err));
	assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
	assert_int_equal(n, 0);
	assert_ok(vector_compact(ix, &err)); /* and it is usable again */
	assert_ok(vector_put(ix, 5, fixture_at(&vectors, 5), &err));
	assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
	assert_int_equal(n, 1);
	assert_int_equal(hits[0].id, 5);
	(void)vector_reader_free(r);
	close_index(ix);
}

static void everything_deleted_piece_by_piece_and_put_back(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	struct vector_index *ix = filled(&o, 1000);
	struct fixture_search s = search_of(ix);
	struct fixture first = {DIMENSION, 1000, vectors.vectors};
	struct err err = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_ok(vector_delete(ix, i, &err));
	for (uint32_t i = 0; i < 1000; i++)
		assert_ok(vector_put(ix, i, fixture_at(&vectors, i), &err));
	s.vectors = &first;
	assert_true(fixture_recall(&s) >= 0.97);
	close_index(ix);
}

static void memory_over_the_bound_is_refused_and_the_rest_goes_on(void **state)
{
	struct vector_options o = {.dimension = DIMENSION, .memory_max_bytes = 200000};
	struct vector_index *ix;
	struct vector_stats before, after;
	struct err err = {0};
	uint32_t i;
	int r = 0;

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (i = 0; i < VECTORS && r == 0; i++)
		r = vector_put(ix, i, fixture_at(&vectors, i), &err);
	assert_int_equal(r, -ERR_LIMIT);
	assert_non_null(strstr(err.message, "is full"));
	vector_stats(ix, &before);
	assert_int_equal(before.vectors, i - 1);
	assert_true(before.memory_bytes <= o.memory_max_bytes);
	for (int try = 0; try < 20; try++) { /* one that needs no upper layers may fit */
		(void)!vector_put(ix, i, fixture_at(&vectors, i), &err);
		vector_stats(ix, &after);
		assert_true(after.memory_bytes <= o.memory_max_bytes);
	}
	assert_ok(vector_delete(ix, 0, &err)); /* makes room */
	assert_ok(vector_delete(ix, 1, &err));
	assert_ok(vector_compact(ix, &err));
	assert_ok(vector_put(ix, 0, fixture_at(&vectors, 0), &err));
	close_index(ix);
}

static void what_was_deleted_from_a_full_exact_index_makes_room(void **state)
{
	struct vector_options o = {
	    .dimension = DIMENSION, .kind = VECTOR_EXACT, .memory_max_bytes = 100000};
	struct vector_index *ix;
	struct err err = {0};
	uint32_t i = 0;

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	while (vector_put(ix, i, fixture_at(&vectors, i), &err) == 0)
		i++;
	for (uint32_t j = 0; j < 10; j++) {
		assert_ok(vector_delete(ix, j, &err));
		assert_ok(vector_put(ix, j, fixture_at(&vectors, i), &err));
	}
	close_index(ix);
}

static void assert_refused(struct vector_index *ix, const float *vector, const char *why)
{
	struct err err = {0};

	assert_int_equal(vector_put(ix, 1, vector, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, why));
}

static void vectors_without_direction_or_number_are_refused(void **state)
{
	struct vector_options o = {.dimension = 3};
	struct vector_index *ix = NULL;
	struct vector_stats stats;
	struct err err = {0};

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	assert_refused(ix, (const float[]){0, 0, 0}, "no direction");
	assert_refused(ix, (const float[]){1, NAN, 0}, "value 1 of the vector is no finite");
	assert_refused(ix, (const float[]){INFINITY, 0, 0}, "value 0 of the vector");
	assert_refused(ix, (const float[]){1e25F, 0, 0}, "too large");
	assert_refused(ix, (const float[]){1e-21F, 0, 0}, "no direction");
	assert_int_equal(vector_put(ix, VECTOR_ID_NONE, (const float[]){1, 0, 0}, &err),
			 -ERR_INVALID_ARGUMENT);
	vector_stats(ix, &stats);
	assert_int_equal(stats.vectors, 0);
	close_index(ix);
}

static void impossible_options_and_queries_are_refused(void **state)
{
	struct vector_options o = {.dimension = 0}, good = {.dimension = 4};
	float v[4] = {1, 0, 0, 0}, bad[4] = {1, NAN, 0, 0};
	char model[400];
	struct vector_index *ix = NULL;
	struct vector_reader *r;
	struct vector_hit hit;
	struct err err = {0};
	size_t n;

	(void)state;
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	o.dimension = VECTOR_DIMENSION_MAX + 1;
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	o = (struct vector_options){.dimension = 4, .m = 65};
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	o = (struct vector_options){.dimension = 4, .alpha = 0.5F};
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	memset(model, 'm', sizeof(model) - 1);
	model[sizeof(model) - 1] = 0;
	o = (struct vector_options){.dimension = 4, .model = model};
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	o = (struct vector_options){.dimension = 4, .metric = 3};
	assert_int_equal(vector_open(NULL, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	assert_ok(vector_open(NULL, &good, &ix, &err));
	assert_ok(vector_reader_new(ix, &r, &err));
	assert_int_equal(
	    vector_search(r, &(struct vector_query){.vector = v, .k = 0}, &hit, &n, NULL, &err),
	    -ERR_INVALID_ARGUMENT);
	assert_int_equal(
	    vector_search(r, &(struct vector_query){.vector = bad, .k = 1}, &hit, &n, NULL, &err),
	    -ERR_INVALID_ARGUMENT);
	(void)vector_reader_free(r);
	close_index(ix);
}

static void stored_vectors_can_be_read_back(void **state)
{
	struct vector_options o = {.dimension = DIMENSION, .precision = VECTOR_F32};
	struct vector_index *ix = filled(&o, 10);
	struct vector_reader *r;
	float back[DIMENSION];
	struct err err = {0};

	(void)state;
	assert_ok(vector_reader_new(ix, &r, &err));
	assert_true(vector_has(r, 3));
	assert_false(vector_has(r, 10));
	assert_ok(vector_get(r, 3, back, &err));
	assert_true(fixture_score(VECTOR_COSINE, back, fixture_at(&vectors, 3), DIMENSION) >
		    0.999999);
	assert_int_equal(vector_get(r, 10, back, &err), -ERR_NOT_FOUND);
	(void)vector_reader_free(r);
	close_index(ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(graph_finds_the_nearest_by_every_metric),
	    cmocka_unit_test(exact_index_is_always_right),
	    cmocka_unit_test(exact_search_of_a_graph_is_always_right),
	    cmocka_unit_test(a_vector_finds_itself_first),
	    cmocka_unit_test(deleted_vectors_are_not_found_and_others_are),
	    cmocka_unit_test(churn_loses_no_recall),
	    cmocka_unit_test(a_replaced_vector_is_found_where_it_is_now),
	    cmocka_unit_test(filtered_search_is_never_short_at_any_share),
	    cmocka_unit_test(filter_against_the_query_is_never_short),
	    cmocka_unit_test(a_filter_of_unknown_ids_finds_nothing),
	    cmocka_unit_test(many_equal_vectors_hide_nothing),
	    cmocka_unit_test(thousands_of_equal_vectors_leave_the_graph_whole),
	    cmocka_unit_test(what_is_put_among_the_dead_leads_to_none_of_them),
	    cmocka_unit_test(a_walk_finds_k_among_the_dead),
	    cmocka_unit_test(vectors_far_from_the_origin_are_told_apart),
	    cmocka_unit_test(a_filter_may_be_larger_than_the_index),
	    cmocka_unit_test(an_empty_index_answers_with_nothing),
	    cmocka_unit_test(everything_deleted_piece_by_piece_and_put_back),
	    cmocka_unit_test(memory_over_the_bound_is_refused_and_the_rest_goes_on),
	    cmocka_unit_test(what_was_deleted_from_a_full_exact_index_makes_room),
	    cmocka_unit_test(vectors_without_direction_or_number_are_refused),
	    cmocka_unit_test(impossible_options_and_queries_are_refused),
	    cmocka_unit_test(stored_vectors_can_be_read_back),
	};

	return cmocka_run_group_tests_name("vector/index", tests, make_fixtures, drop_fixtures);
}
