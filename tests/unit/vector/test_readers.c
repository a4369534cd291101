/* Readers while a writer works: no locks, no torn answers. Under ThreadSanitizer too. */
#include "fixture.h"

#include <pthread.h>
#include <roaring/roaring.h>
#include <stdatomic.h>
#include <stdio.h>

#define VECTORS	  1500U
#define STEADY	  500U /* ids below are never deleted */
#define DIMENSION 16U
#define READERS	  3

static struct fixture vectors;
static struct vector_index *ix;
static atomic_bool is_over;
static atomic_uint wrong, short_or_double, missed, searches;

static bool has_doubles(const struct vector_hit *hits, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (hits[i].id == hits[j].id || hits[i].score > hits[j].score)
				return true;
		}
	}
	return false;
}

/* A steady vector is found whatever happens around it; no id comes twice; scores descend. */
static void *read_on(void *arg)
{
	uint64_t random = *(const uint64_t *)arg;
	struct vector_reader *r;
	struct err err = {0};

	if (vector_reader_new(ix, &r, &err) < 0)
		return NULL;
	while (!atomic_load(&is_over)) {
		uint32_t id = (uint32_t)(fixture_random(&random) % STEADY);
		struct vector_query q = {.vector = fixture_at(&vectors, id), .k = 10};
		struct vector_hit hits[10];
		size_t n;

		if (vector_search(r, &q, hits, &n, NULL, &err) < 0 || hits[0].id != id)
			atomic_fetch_add(&wrong, 1);
		if (n != 10 || has_doubles(hits, n))
			atomic_fetch_add(&short_or_double, 1);
		atomic_fetch_add(&searches, 1);
	}
	(void)vector_reader_free(r);
	return NULL;
}

static void write_on(void)
{
	struct err err = {0};
	uint64_t random = 9;

	for (int i = 0; i < 4000; i++) {
		uint32_t id = STEADY + (uint32_t)(fixture_random(&random) % (VECTORS - STEADY));

		if (fixture_random(&random) % 3 == 0)
			(void)!vector_delete(ix, id, &err);
		else /* another one's vector: a replacement, mostly */
			assert_ok(vector_put(ix, id,
					     fixture_at(&vectors, STEADY + fixture_random(&random) %
									       (VECTORS - STEADY)),
					     &err));
		if (i % 1000 == 999)
			assert_ok(vector_compact(ix, &err));
	}
}

static void readers_see_whole_answers_while_the_writer_works(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	pthread_t threads[READERS];
	uint64_t seeds[READERS];
	struct err err = {0};

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (uint32_t i = 0; i < VECTORS; i++)
		assert_ok(vector_put(ix, i, fixture_at(&vectors, i), &err));
	for (int i = 0; i < READERS; i++) {
		seeds[i] = (uint64_t)i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &seeds[i]), 0);
	}
	write_on();
	atomic_store(&is_over, true);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(atomic_load(&searches) > 0);
	/* An approximate walk may miss itself once in a while, never more. */
	assert_true(atomic_load(&wrong) <= atomic_load(&searches) / 500);
	assert_int_equal(atomic_load(&short_or_double), 0);
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	assert_ok(vector_close(ix, &err));
}

/* --- vectors that are replaced all the time, and always there -------------------------------- */

#define REPLACED 40U

/* All of them through a filter, and the nearest ten of all, which they are. */
static void *read_replaced(void *arg)
{
	roaring_bitmap_t *filter = roaring_bitmap_from_range(0, REPLACED, 1);
	struct vector_reader *r;
	struct err err = {0};

	(void)arg;
	if (vector_reader_new(ix, &r, &err) < 0)
		return NULL;
	while (!atomic_load(&is_over)) {
		struct vector_query q = {.vector = fixture_at(&vectors, 0), .exact = true};
		struct vector_hit hits[REPLACED];
		size_t n;

		q.filter = atomic_fetch_add(&searches, 1) % 2 ? filter : NULL;
		q.k = REPLACED;
		if (vector_search(r, &q, hits, &n, NULL, &err) < 0 || n != REPLACED ||
		    has_doubles(hits, n))
			atomic_fetch_add(&short_or_double, 1);
		for (size_t i = 0; i < n; i++)
			atomic_fetch_add(&missed, hits[i].id >= REPLACED);
	}
	(void)vector_reader_free(r);
	roaring_bitmap_free(filter);
	return NULL;
}

/* Of two directions that differ a little; all others point the other way. */
static void put_replaced(uint32_t id, bool is_second)
{
	float v[DIMENSION];
	struct err err = {0};

	for (unsigned i = 0; i < DIMENSION; i++) {
		v[i] = fixture_at(&vectors, 0)[i] * (id < REPLACED ? 1 : -1);
		v[i] += 0.01F * fixture_at(&vectors, id)[i] * (is_second ? 1 : -1);
	}
	assert_ok(vector_put(ix, id, v, &err));
}

static void replaced_vectors_are_never_missed_nor_found_twice(void **state)
{
	(void)state;
	for (enum vector_kind kind = VECTOR_GRAPH; kind <= VECTOR_EXACT; kind++) {
		struct vector_options o = {.dimension = DIMENSION, .kind = kind};
		pthread_t threads[READERS];
		struct err err = {0};

		atomic_store(&is_over, false);
		atomic_store(&short_or_double, 0);
		atomic_store(&searches, 0);
		assert_ok(vector_open(NULL, &o, &ix, &err));
		for (uint32_t i = 0; i < 1000; i++)
			put_replaced(i, false);
		for (int i = 0; i < READERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, read_replaced, NULL), 0);
		/* On a busy machine readers start late. */
		for (uint32_t i = 0; i < 4000 || atomic_load(&searches) <= READERS; i++)
			put_replaced(i % REPLACED, i / REPLACED % 2 == 0);
		atomic_store(&is_over, true);
		for (int i = 0; i < READERS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(atomic_load(&searches) > READERS);
		assert_int_equal(atomic_load(&short_or_double), 0);
		assert_int_equal(atomic_load(&missed), 0);
		assert_ok(vector_close(ix, &err));
	}
}

static void there_are_so_many_readers_and_no_more(void **state)
{
	struct vector_options o = {.dimension = DIMENSION};
	static struct vector_reader *readers[VECTOR_READERS_MAX + 1];
	struct err err = {0};

	(void)state;
	assert_ok(vector_open(NULL, &o, &ix, &err));
	for (size_t i = 0; i < VECTOR_READERS_MAX; i++)
		assert_ok(vector_reader_new(ix, &readers[i], &err));
	assert_int_equal(vector_reader_new(ix, &readers[VECTOR_READERS_MAX], &err), -ERR_LIMIT);
	readers[7] = vector_reader_free(readers[7]);
	assert_ok(vector_reader_new(ix, &readers[7], &err));
	for (size_t i = 0; i < VECTOR_READERS_MAX; i++)
		(void)vector_reader_free(readers[i]);
	assert_ok(vector_close(ix, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_whole_answers_while_the_writer_works),
	    cmocka_unit_test(replaced_vectors_are_never_missed_nor_found_twice),
	    cmocka_unit_test(there_are_so_many_readers_and_no_more),
	};
	int failed;

	fixture_make(&vectors, VECTORS, DIMENSION, 1);
	failed = cmocka_run_group_tests_name("vector/readers", tests, NULL, NULL);
	fixture_done(&vectors);
	return failed;
}
