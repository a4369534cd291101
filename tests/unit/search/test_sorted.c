/* Sorted pairs beside a plain array that is searched from its begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_sorted.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define PAIRS_MAX 6000

static struct search_pair plain[PAIRS_MAX];
static size_t n_plain;
static uint64_t seed;

static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

static bool is_below(struct search_pair a, struct search_pair b, bool by_document)
{
	if (by_document && a.document != b.document)
		return a.document < b.document;
	if (a.value < b.value || a.value > b.value)
		return a.value < b.value;
	return a.document < b.document;
}

static size_t place(struct search_pair p, bool by_document)
{
	size_t i = 0;

	while (i < n_plain && is_below(plain[i], p, by_document))
		i++;
	return i;
}

static bool is_at(size_t i, struct search_pair p)
{
	return i < n_plain && plain[i].document == p.document && !(plain[i].value < p.value) &&
	       !(plain[i].value > p.value);
}

static void put(struct search_sorted *s, struct search_pair p)
{
	size_t i = place(p, s->by_document);

	search_sorted_put(s, p);
	if (is_at(i, p))
		return;
	memmove(plain + i + 1, plain + i, (n_plain - i) * sizeof(*plain));
	plain[i] = p;
	n_plain++;
}

static void take_out(struct search_sorted *s, struct search_pair p)
{
	size_t i = place(p, s->by_document);

	search_sorted_remove(s, p);
	if (!is_at(i, p))
		return;
	memmove(plain + i, plain + i + 1, (n_plain - i - 1) * sizeof(*plain));
	n_plain--;
}

/* From a pair on all are there, in order; no piece is empty or too full. */
static void check_from(const struct search_sorted *s, struct search_pair p)
{
	struct search_place at = search_sorted_seek(s, p);
	const struct search_pair *got;

	for (size_t i = place(p, s->by_document); i < n_plain; i++) {
		got = search_sorted_next(s, &at);
		if (!got || !is_at(i, *got))
			fail_msg("pair %zu of %zu is (%g, %u) instead of (%g, %u)", i, n_plain,
				 got ? got->value : -1, got ? got->document : 0, plain[i].value,
				 plain[i].document);
	}
	assert_null(search_sorted_next(s, &at));
	assert_null(search_sorted_next(s, &at));
}

static void check(const struct search_sorted *s)
{
	static const struct search_pair ends[] = {{-HUGE_VAL, 0}, {HUGE_VAL, UINT32_MAX}, {0, 0}};
	struct search_place first = {0};
	size_t n = 0;

	assert_int_equal(s->len, n_plain);
	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->pieces[i].n > 0 && s->pieces[i].n <= s->pieces[i].cap &&
			    s->pieces[i].cap <= 512);
		n += s->pieces[i].n;
	}
	assert_int_equal(n, n_plain);
	while (search_sorted_next(s, &first))
		n--;
	assert_int_equal(n, 0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		check_from(s, ends[i]);
	for (size_t i = 0; i < 20; i++)
		check_from(s, (struct search_pair){next(100), next(PAIRS_MAX)});
}

/* `pair` makes the i-th. */
static void check_order(bool by_document, struct search_pair (*pair)(uint32_t i))
{
	struct search_sorted s = {.by_document = by_document};

	n_plain = 0;
	seed = 1;
	check(&s);
	for (uint32_t i = 0; i < 3000; i++)
		put(&s, pair(i));
	check(&s);
	for (uint32_t i = 0; i < 5000; i++) {
		if (n_plain && next(2))
			take_out(&s, plain[next((uint32_t)n_plain)]);
		else if (next(4))
			put(&s, pair(next(5000)));
		else
			take_out(&s, (struct search_pair){next(90) + 0.25, next(5000)});
	}
	check(&s);
	while (n_plain) {
		take_out(&s, plain[n_plain > 1000 ? next((uint32_t)n_plain) : 0]);
		if (n_plain % 500 == 0)
			check(&s);
	}
	assert_int_equal(s.n, 0);
	put(&s, pair(1));
	check(&s);
	search_sorted_done(&s);
	assert_true(s.by_document == by_document && s.len == 0);
	search_sorted_put(&s, pair(2));
	assert_int_equal(s.len, 1);
	search_sorted_done(&s);
}

/* What is filled at once is as what is put one by one, and changes like it. */
static void check_filled(bool by_document, struct search_pair (*pair)(uint32_t i))
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 3000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct search_sorted one_by_one = {.by_document = by_document},
				     filled = {.by_document = by_document};
		struct search_pair pairs[3000];

		n_plain = 0;
		for (uint32_t k = 0; k < sizes[i]; k++) {
			pairs[k] = pair(k);
			put(&one_by_one, pairs[k]);
		}
		search_sorted_fill(&filled, pairs, sizes[i]);
		check(&filled);
		for (uint32_t k = 0; k < 300; k++) {
			put(&filled, pair(next(5000)));
			take_out(&filled, plain[next((uint32_t)n_plain)]);
		}
		check(&filled);
		search_sorted_done(&filled);
		search_sorted_done(&one_by_one);
	}
}

static struct search_pair ascending(uint32_t i)
{
	return (struct search_pair){i / 3 * 0.5, i};
}

static struct search_pair descending(uint32_t i)
{
	return (struct search_pair){-(double)i, 5000 - i};
}

static struct search_pair scattered(uint32_t i)
{
	return (struct search_pair){i * 7919 % 97, i * 104729 % 5003};
}

static struct search_pair crowded(uint32_t i) /* many of one document, many of one value */
{
	return (struct search_pair){i % 50 * 1.5 - 30, i / 50 % 40};
}

static void pairs_are_in_order_of_value(void **state)
{
	(void)state;
	check_order(false, ascending);
	check_order(false, descending);
	check_order(false, scattered);
	check_order(false, crowded);
}

static void pairs_are_in_order_of_document(void **state)
{
	(void)state;
	check_order(true, ascending);
	check_order(true, descending);
	check_order(true, scattered);
	check_order(true, crowded);
}

static void pairs_that_come_at_once_are_in_order(void **state)
{
	(void)state;
	seed = 1;
	for (int by_document = 0; by_document < 2; by_document++) {
		check_filled(by_document, ascending);
		check_filled(by_document, descending);
		check_filled(by_document, scattered);
		check_filled(by_document, crowded);
	}
}

static void extreme_values_are_values(void **state)
{
	static const double values[] = {0.0, -0.0, 1e308, -1e308, 4.9e-324, 0.1, 1707696000e6};
	struct search_sorted s = {0};

	(void)state;
	n_plain = 0;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		put(&s, (struct search_pair){values[i], UINT32_MAX});
		put(&s, (struct search_pair){values[i], 0});
	}
	assert_int_equal(n_plain, 12); /* both zeros are one */
	check(&s);
	search_sorted_done(&s);
}

/* What comes in order fills its pieces; what goes is given back. */
static void memory_is_about_that_of_the_pairs(void **state)
{
	struct search_sorted s = {0};

	(void)state;
	assert_int_equal(search_sorted_memory(&s), 0);
	for (uint32_t i = 0; i < 100000; i++)
		search_sorted_put(&s, ascending(i));
	assert_true(search_sorted_memory(&s) < 100000 * sizeof(struct search_pair) * 5 / 4);
	for (uint32_t i = 0; i < 100000; i++)
		search_sorted_remove(&s, ascending(i));
	assert_true(s.n == 0 && search_sorted_memory(&s) < 100000);
	search_sorted_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs_are_in_order_of_value),
	    cmocka_unit_test(pairs_are_in_order_of_document),
	    cmocka_unit_test(pairs_that_come_at_once_are_in_order),
	    cmocka_unit_test(extreme_values_are_values),
	    cmocka_unit_test(memory_is_about_that_of_the_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
