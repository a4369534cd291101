/*
 * What queries mean, beside what a person wrote down that they mean: tests/data/search/
 * understanding.tsv. Prints the accuracy by kind of query and what differs, and fails below what
 * was reached.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "query_catalogue.h"

#include <stdlib.h>

#include "base/banned.h"

#define KINDS_MAX   64
#define VALUES_MAX  32
#define FLOOR	    0.97
#define TIMED_TIMES 20

struct score {
	const char *kind;
	size_t right, all;
};

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Values of a condition have no order: "a=y|x" becomes "a=x|y". */
static void add_condition(const char *text, struct strbuf *b)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(text);
	char *equals = strchr(copy, '='), *rest, *value;
	const char *values[VALUES_MAX];
	size_t n = 0;

	if (!equals || !strchr(equals, '|')) {
		strbuf_addstr(b, text);
		return;
	}
	rest = equals + 1;
	while ((value = strsep(&rest, "|")) && n < VALUES_MAX)
		values[n++] = value;
	qsort(values, n, sizeof(values[0]), compare_texts);
	strbuf_add(b, copy, (size_t)(equals + 1 - copy));
	for (size_t i = 0; i < n; i++)
		strbuf_addf(b, "%s%s", i ? "|" : "", values[i]);
}

static void add_gold_conditions(const char *text, struct strbuf *b)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(text);
	char *rest = copy, *end;

	while (rest && *rest) {
		end = strstr(rest, "; ");
		if (end)
			*end = '\0';
		add_condition(rest, b);
		strbuf_addstr(b, end ? "; " : "");
		rest = end ? end + 2 : NULL;
	}
}

static void add_conditions(const struct search_understood *u, struct strbuf *b)
{
	for (size_t i = 0; i < u->n_constraints; i++) {
		struct strbuf one = STRBUF_INIT(0);

		strbuf_addstr(b, i ? "; " : "");
		strbuf_addstr(b, u->constraints[i].ask == SEARCH_ASK_FILTER ? "F " : "B ");
		search_filter_write(&u->constraints[i].filter, &one);
		add_condition(strbuf_str(&one), b);
		strbuf_done(&one);
	}
	strbuf_addstr(b, u->n_constraints ? "" : "-");
}

/* As the columns of the file. */
static void describe(const struct search_understood *u, struct strbuf *b)
{
	size_t excluded = 0;

	add_conditions(u, b);
	strbuf_addf(b, "\t%s%s\t", u->order.is_descending ? "-" : "",
		    u->order.attribute ? u->order.attribute : "-");
	for (size_t i = 0; i < u->n_phrases; i++) {
		struct search_span s = u->phrases[i].span;

		if (!u->phrases[i].is_excluded)
			continue;
		strbuf_addstr(b, excluded++ ? "; " : "");
		strbuf_add(b, u->query + s.start, s.end - s.start);
	}
	strbuf_addf(b, "%s\t%s", excluded ? "" : "-", *u->text ? u->text : "-");
}

static struct score *score_of(struct score *scores, const char *kind)
{
	size_t i = 0;

	while (i < KINDS_MAX && scores[i].kind && !cstr_equal(scores[i].kind, kind))
		i++;
	assert_true(i < KINDS_MAX);
	scores[i].kind = kind;
	return &scores[i];
}

static bool is_as_meant(const struct search_vocabulary *v, const char *query, char *gold)
{
	struct strbuf got = STRBUF_INIT(0), want = STRBUF_INIT(0);
	struct search_understanding how = {0};
	struct search_understood u;
	struct arena arena = {0};
	char *rest = gold;
	bool is_equal;

	search_query_understand(v, str_from(query), &how, &arena, &u);
	describe(&u, &got);
	add_gold_conditions(strsep(&rest, "\t"), &want);
	strbuf_addf(&want, "\t%s", rest);
	is_equal = str_equal(strbuf_slice(&got), strbuf_slice(&want));
	if (!is_equal)
		print_message("%s\n   is    %s\n   meant %s\n", query, strbuf_str(&got),
			      strbuf_str(&want));
	strbuf_done(&got);
	strbuf_done(&want);
	arena_done(&arena);
	return is_equal;
}

static void queries_mean_what_people_say_they_do(void **state)
{
	struct query_catalogue *c = *state;
	const struct search_vocabulary *v = NULL;
	char *text = query_catalogue_read("tests/data/search/understanding.tsv");
	char *rest = text, *line;
	struct score scores[KINDS_MAX] = {0}, *all = score_of(scores, "all");

	while ((line = strsep(&rest, "\n"))) {
		const char *kind, *query;
		struct score *s;

		if (!*line || *line == '#')
			continue;
		if (*line == '@') {
			v = query_catalogue_vocabulary(c, line + 1);
			continue;
		}
		assert_non_null(v);
		kind = strsep(&line, "\t");
		query = strsep(&line, "\t");
		assert_non_null(line);
		s = score_of(scores, kind);
		s->all++;
		all->all++;
		if (is_as_meant(v, query, line)) {
			s->right++;
			all->right++;
		}
	}
	for (size_t i = 0; i < KINDS_MAX && scores[i].kind; i++)
		print_message("%-12s %3zu of %3zu\n", scores[i].kind, scores[i].right,
			      scores[i].all);
	assert_true(all->all >= 300);
	assert_true((double)all->right >= FLOOR * (double)all->all);
	mem_free(text);
}

/* No test: a figure to look at. */
static void how_long_a_query_takes(void **state)
{
	static const char *const queries[] = {
	    "keyboard", "quiet mechanical keyboard under $100, not refurbished, cheapest first",
	    "i'm looking for a quiet gaming pc with at least 32 gb of ram, around 1500 dollars"};
	const struct search_vocabulary *v = query_catalogue_vocabulary(*state, "product_catalog");
	struct search_understanding how = {0};
	struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		int64_t start = clock_monotonic_us();
		struct search_understood u;

		for (int k = 0; k < TIMED_TIMES; k++) {
			search_query_understand(v, str_from(queries[i]), &how, &arena, &u);
			arena_clear(&arena);
		}
		print_message("%5.1f us: %s\n",
			      (double)(clock_monotonic_us() - start) / TIMED_TIMES, queries[i]);
	}
	arena_done(&arena);
}

static int set_up(void **state)
{
	*state = query_catalogue_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)query_catalogue_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(queries_mean_what_people_say_they_do),
	    cmocka_unit_test(how_long_a_query_takes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
