/* The latest queries: found, bounded, used by threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "embed/embed_lru.h"

#include <pthread.h>
#include <stdio.h>

#include "base/banned.h"

#define DIMENSION 4

static void put(struct embed_lru *l, int number)
{
	char text[32];
	float v[DIMENSION];

	snprintf(text, sizeof(text), "text %d", number);
	for (int i = 0; i < DIMENSION; i++)
		v[i] = (float)(number * DIMENSION + i);
	embed_lru_put(l, str_from(text), v);
}

static bool has(struct embed_lru *l, int number)
{
	char text[32];
	float v[DIMENSION];

	snprintf(text, sizeof(text), "text %d", number);
	if (!embed_lru_get(l, str_from(text), v))
		return false;
	for (int i = 0; i < DIMENSION; i++)
		assert_true(v[i] == (float)(number * DIMENSION + i));
	return true;
}

static void the_latest_are_kept_and_no_more(void **state)
{
	_cleanup_(embed_lru_freep) struct embed_lru *l = embed_lru_new(100, DIMENSION);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		put(l, i);
		assert_true(embed_lru_len(l) == (size_t)(i < 100 ? i + 1 : 100));
		assert_true(has(l, i < 50 ? 0 : i - 49)); /* which makes it the newest */
	}
	assert_false(has(l, 0));
}

/* Against a plain list, with texts that come back often. */
static void it_agrees_with_a_list(void **state)
{
	enum { CAPACITY = 17, NUMBERS = 40 };
	_cleanup_(embed_lru_freep) struct embed_lru *l = embed_lru_new(CAPACITY, DIMENSION);
	int list[CAPACITY + 1], n = 0;
	unsigned random = 1;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		int number, at = 0;

		random = random * 1664525u + 1013904223u;
		number = (int)((random >> 16) % NUMBERS);
		while (at < n && list[at] != number)
			at++;
		assert_int_equal(has(l, number), at < n);
		if (at == n) {
			put(l, number);
			if (n < CAPACITY)
				n++;
			else
				at--;
		}
		memmove(list + 1, list, (size_t)at * sizeof(*list));
		list[0] = number;
	}
}

static void long_texts_and_no_cache_are_fine(void **state)
{
	_cleanup_(embed_lru_freep) struct embed_lru *l = embed_lru_new(2, DIMENSION);
	char text[EMBED_LRU_TEXT_MAX + 1];
	float v[DIMENSION] = {0};

	(void)state;
	memset(text, 'x', sizeof(text));
	embed_lru_put(l, (struct str){text, sizeof(text)}, v);
	assert_int_equal(embed_lru_len(l), 0);
	embed_lru_put(l, (struct str){text, sizeof(text) - 1}, v);
	embed_lru_put(l, (struct str){NULL, 0}, v);
	assert_true(embed_lru_get(l, (struct str){"", 0}, v));
	assert_int_equal(embed_lru_len(l), 2);
	assert_null(embed_lru_new(0, DIMENSION));
	embed_lru_put(NULL, str_from("x"), v);
	assert_false(embed_lru_get(NULL, str_from("x"), v));
}

static void *work(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		if (!has(arg, i % 60))
			put(arg, i % 60);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	_cleanup_(embed_lru_freep) struct embed_lru *l = embed_lru_new(30, DIMENSION);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, l), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(embed_lru_len(l), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_latest_are_kept_and_no_more),
	    cmocka_unit_test(it_agrees_with_a_list),
	    cmocka_unit_test(long_texts_and_no_cache_are_fine),
	    cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
