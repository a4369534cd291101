/* Judgements as a file, and how good an order of hits is by them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "search/search_judge.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

static void check_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g instead of %.12g", got, want);
}

static int load(const char *text, struct search_judgements **ret, struct err *err)
{
	char path[] = "/tmp/aethermart-test-judge-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	r = search_judgements_load(path, ret, err);
	(void)unlink(path);
	return r;
}

static struct search_judgements *judgements(const char *text)
{
	struct search_judgements *j = NULL;
	struct err err = {0};

	if (load(text, &j, &err) < 0)
		fail_msg("%s", err.message);
	return j;
}

static void a_line_is_a_query_a_document_and_a_rating(void **state)
{
	struct search_judgements *j = judgements("query,id,rating\r\n"
						 "\"15\"\" tv, flat\",a,3\r\n"
						 "mouse,a,0\n"
						 "\n"
						 "\"15\"\" tv, flat\", b ,1");
	const struct search_judged_query *q;

	(void)state;
	assert_int_equal(search_judgements_queries(j, &q), 2);
	assert_string_equal(q[0].text, "15\" tv, flat");
	assert_int_equal(q[0].n, 2);
	assert_true(q[0].sorted[0] == 3 && q[0].sorted[1] == 1 && q[0].has_relevant);
	assert_string_equal(q[1].text, "mouse");
	assert_false(q[1].has_relevant);
	search_judgements_free(j);
}

static void mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"query,id,rating\na,b,1\na,b\n", ":3: expected a query"},
	    {"query,id,rating\na,b,x\n", ":2: expected a query"},
	    {"query,id,rating\na,b,-1\n", ":2: expected a query"},
	    {"query,id,rating\na,b,1,2\n", ":2: expected a query"},
	    {"query,id,rating\na,,1\n", ":2: expected a query"},
	    {"query,id,rating\na,b,1\na,b,2\n", ":3: \"b\" was judged for \"a\" before"},
	    {"query,id,rating\n", "holds no judgement"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_judgements *j = NULL;
		struct err err = {0};

		assert_int_equal(load(cases[i].text, &j, &err), -ERR_INVALID_ARGUMENT);
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" instead of \"%s\"", err.message, cases[i].message);
	}
}

static struct search_quality measure(const char *const *names, size_t n)
{
	struct search_judgements *j =
	    judgements("query,id,rating\nq,best,3\nq,good,2\nq,fair,1\nq,wrong,0\n");
	const struct search_judged_query *q;
	struct search_quality ret = {0};

	assert_int_equal(search_judgements_queries(j, &q), 1);
	search_quality_add(&ret, q, names, n);
	search_quality_end(&ret);
	search_judgements_free(j);
	return ret;
}

/* By hand: (2^3-1)/log2(2) + (2^2-1)/log2(3) + (2^1-1)/log2(4). */
#define IDEAL (7 + 3 / 1.5849625007211562 + 0.5)

static void the_best_order_is_worth_one(void **state)
{
	static const char *const names[] = {"best", "good", "fair"};
	struct search_quality q = measure(names, 3);

	(void)state;
	check_near(q.ndcg, 1, 1e-12);
	check_near(q.judged_ndcg, 1, 1e-12);
	assert_true(q.mrr >= 1 && q.recall >= 1 && q.judged >= 1 && q.queries == 1);
}

static void what_nobody_judged_takes_a_rank_or_is_left_out(void **state)
{
	static const char *const names[] = {"unknown", "best", "wrong", "good"};
	struct search_quality q = measure(names, 4);

	(void)state;
	check_near(q.ndcg, (7 / log2(3) + 3 / log2(5)) / IDEAL, 1e-9);
	check_near(q.judged_ndcg, (7 + 3 / log2(4)) / IDEAL, 1e-9);
	check_near(q.mrr, 0.5, 1e-12);
	check_near(q.recall, 2.0 / 3, 1e-12);
	check_near(q.judged, 0.75, 1e-12);
}

static void ten_count_for_ndcg_and_a_hundred_for_the_rest(void **state)
{
	const char *names[102];
	struct search_quality q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = i == 10 ? "good" : i == 100 ? "best" : "unknown";
	q = measure(names, ARRAY_LEN(names));
	assert_true(q.ndcg <= 0 && q.judged <= 0);
	check_near(q.judged_ndcg, 3 / IDEAL, 1e-9);
	check_near(q.mrr, 1.0 / 11, 1e-12);
	check_near(q.recall, 1.0 / 3, 1e-12);
}

static void nothing_found_is_worth_nothing(void **state)
{
	struct search_quality q = measure(NULL, 0);

	(void)state;
	assert_true(q.queries == 1 && q.ndcg <= 0 && q.mrr <= 0 && q.recall <= 0);
	assert_true(q.answered == 0 && q.judged <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_a_query_a_document_and_a_rating),
	    cmocka_unit_test(mistakes_are_named_with_their_line),
	    cmocka_unit_test(the_best_order_is_worth_one),
	    cmocka_unit_test(what_nobody_judged_takes_a_rank_or_is_left_out),
	    cmocka_unit_test(ten_count_for_ndcg_and_a_hundred_for_the_rest),
	    cmocka_unit_test(nothing_found_is_worth_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
