/* Which rating the words of a text go with. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_opinion.h"

#include "base/banned.h"

static void check_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g instead of %.12g", got, want);
}

#define UNRATED ((double)NAN)

enum { GOOD, BAD, THING };

static struct search_rated rated(struct search_forward *f, uint32_t word, double rating)
{
	search_forward_add(f, word, 0, 1);
	search_forward_add(f, THING, 0, 2);
	search_forward_sum(f);
	return (struct search_rated){.terms = f, .fields = 1, .rating = rating};
}

static double infer(const struct search_opinion *o, uint32_t word, double rating)
{
	struct search_forward f = {0};
	struct search_rated r = rated(&f, word, rating);
	double ret = search_opinion_infer(o, &r);

	search_forward_done(&f);
	return ret;
}

static void change(struct search_opinion *o, uint32_t word, double rating, bool is_added)
{
	struct search_forward f = {0};
	struct search_rated r = rated(&f, word, rating);

	(is_added ? search_opinion_add : search_opinion_remove)(o, &r);
	search_forward_done(&f);
}

static struct search_opinion *learn(void)
{
	struct search_opinion *o = search_opinion_new();

	for (int i = 0; i < 200; i++) {
		change(o, GOOD, 5, true);
		change(o, BAD, 1, true);
	}
	return o;
}

static void words_go_with_the_ratings_of_others(void **state)
{
	struct search_opinion *o = learn();

	(void)state;
	assert_true(infer(o, GOOD, UNRATED) > 4.5);
	assert_true(infer(o, BAD, UNRATED) < 1.5);
	/* What it was given does not matter, only what others gave. */
	assert_true(infer(o, BAD, 5) < 1.5);
	search_opinion_free(o);
}

static void nothing_is_said_where_too_little_is_known(void **state)
{
	struct search_opinion *o = search_opinion_new();

	(void)state;
	assert_true(isnan(infer(o, GOOD, UNRATED)));
	change(o, GOOD, 5, true);
	assert_true(isnan(infer(o, GOOD, 5)));
	search_opinion_free(o);
}

static void what_goes_is_forgotten(void **state)
{
	struct search_opinion *o = learn(), *same = learn();

	(void)state;
	for (int i = 0; i < 50; i++)
		change(o, BAD, 5, true);
	assert_true(infer(o, BAD, UNRATED) > infer(same, BAD, UNRATED) + 0.3);
	for (int i = 0; i < 50; i++)
		change(o, BAD, 5, false);
	check_near(infer(o, BAD, UNRATED), infer(same, BAD, UNRATED), 1e-9);
	search_opinion_free(o);
	search_opinion_free(same);
}

static void only_the_words_of_its_fields_count(void **state)
{
	struct search_opinion *o = learn();
	struct search_forward f = {0};
	struct search_rated r;
	double with, without;

	(void)state;
	search_forward_add(&f, BAD, 1, 9);
	r = rated(&f, GOOD, UNRATED);
	without = search_opinion_infer(o, &r);
	r.fields = 3;
	with = search_opinion_infer(o, &r);
	assert_true(without > 4.5 && with < without - 0.5);
	search_forward_done(&f);
	search_opinion_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_go_with_the_ratings_of_others),
	    cmocka_unit_test(nothing_is_said_where_too_little_is_known),
	    cmocka_unit_test(what_goes_is_forgotten),
	    cmocka_unit_test(only_the_words_of_its_fields_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
