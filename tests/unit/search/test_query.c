/*
 * Understanding of queries: what an answer is made of, what can be given up, and that nothing a
 * person or a machine types does harm. What queries mean is in test_understanding.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query_catalogue.h"

#include <math.h>

#include "base/banned.h"

#define HOSTILE_QUERIES 10000

struct fixture {
	struct query_catalogue *catalogue;
	const struct search_vocabulary *products;
	struct arena arena;
};

static struct search_understood ask(struct fixture *f, const char *query, uint32_t without)
{
	struct search_understanding how = {.without = without};
	struct search_understood u;

	search_query_understand(f->products, str_from(query), &how, &f->arena, &u);
	return u;
}

static const char *slice(struct fixture *f, const struct search_understood *u,
			 struct search_span span)
{
	return arena_strndup(&f->arena, u->query + span.start, span.end - span.start);
}

static const char *filter_text(struct fixture *f, const struct search_filter *filter)
{
	struct strbuf b = STRBUF_INIT(0);
	const char *ret;

	search_filter_write(filter, &b);
	ret = arena_strdup(&f->arena, strbuf_str(&b));
	strbuf_done(&b);
	return ret;
}

/* Every span lies in the query, every filter can be written and read again. */
static void check(struct fixture *f, const struct search_understood *u)
{
	size_t len = strlen(u->query);
	uint32_t bits = 0;

	assert_true(utf8_is_valid(u->query, len) && utf8_is_valid(u->text, strlen(u->text)));
	assert_true(u->n_constraints <= SEARCH_CONSTRAINTS_MAX);
	for (size_t i = 0; i < u->n_constraints; i++) {
		const struct search_constraint *c = &u->constraints[i];
		struct search_filter back = {0};
		const char *text = filter_text(f, &c->filter);

		assert_true(c->span.start < c->span.end && c->span.end <= len);
		assert_true(c->certainty > 0 && c->certainty <= 1 && *c->reading);
		assert_true(c->ask == SEARCH_ASK_FILTER || c->ask == SEARCH_ASK_BOOST);
		assert_true(c->bit && !(bits & c->bit));
		bits |= c->bit;
		assert_int_equal(search_filter_parse(str_from(text), &f->arena, &back, NULL), 0);
		assert_string_equal(text, filter_text(f, &back));
	}
	for (size_t i = 0; i < u->n_phrases; i++) {
		assert_true(u->phrases[i].span.start < u->phrases[i].span.end);
		assert_true(u->phrases[i].span.end <= len);
	}
}

static void a_constraint_says_where_it_stands_and_what_it_means(void **state)
{
	struct fixture *f = *state;
	struct search_understood u = ask(f, "Sony headphones under $100, in stock", 0);

	check(f, &u);
	assert_int_equal(u.n_constraints, 4);
	assert_string_equal(slice(f, &u, u.constraints[0].span), "Sony");
	assert_string_equal(u.constraints[0].reading, "brand Sony");
	assert_true(u.constraints[0].keeps_words);
	assert_string_equal(slice(f, &u, u.constraints[2].span), "under $100");
	assert_string_equal(u.constraints[2].reading, "price below $100");
	assert_false(u.constraints[2].keeps_words);
	assert_string_equal(slice(f, &u, u.constraints[3].span), "in stock");
	assert_string_equal(u.constraints[3].reading, "in stock");
	assert_string_equal(u.text, "Sony headphones");
}

static void readings_are_for_people(void **state)
{
	static const struct {
		const char *query, *reading;
	} cases[] = {
	    {"laptop with at least 16 GB of ram", "memory at least 16 GB"},
	    {"between 200 and 300 dollars", "price $200 to $300"},
	    {"around 50 euros", "price about $54"},
	    {"monitor 27 inch", "screen about 27 inches"},
	    {"not from Sony", "brand not Sony"},
	    {"sony or lg tv", "brand Sony or LG"},
	    {"keyboard without lighting", "not lighting"},
	    {"tablets not in stock", "not in stock"},
	    {"released after 2019", "released since 2020-01-01"},
	    {"released in 2019", "released from 2019-01-01 to 2019-12-31"},
	    {"released before 2019", "released before 2019-01-01"},
	    {"installation at home", "delivery on site"},
	    {"4 stars and up", "rating at least 4 stars"},
	    {"4 star monitor", "rating at least 4 stars"},
	    {"laptop under 2 kg", "weight below 2000 g"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_understood u = ask(f, cases[i].query, 0);
		bool is_there = false;

		for (size_t k = 0; k < u.n_constraints; k++)
			is_there |= cstr_equal(u.constraints[k].reading, cases[i].reading);
		if (!is_there)
			fail_msg("\"%s\" has no reading \"%s\"", cases[i].query, cases[i].reading);
	}
}

static void what_is_given_up_is_words_again(void **state)
{
	struct fixture *f = *state;
	const char *query = "keyboard under $100 in stock";
	struct search_understood all = ask(f, query, 0), u;

	assert_int_equal(all.n_constraints, 3);
	for (size_t i = 0; i < all.n_constraints; i++) {
		u = ask(f, query, all.constraints[i].bit);
		check(f, &u);
		assert_int_equal(u.n_constraints, 2);
		for (size_t k = 0; k < u.n_constraints; k++)
			assert_true(u.constraints[k].bit == all.constraints[k + (k >= i)].bit);
	}
	u = ask(f, query, all.constraints[1].bit);
	assert_string_equal(u.text, "keyboard under $100");
	u = ask(f, query, 7);
	assert_int_equal(u.n_constraints, 0);
	assert_string_equal(u.text, query);
}

static void order_and_exclusions_can_be_given_up(void **state)
{
	struct fixture *f = *state;
	const char *query = "cheapest laptop not refurbished";
	struct search_understood u = ask(f, query, 0);

	assert_string_equal(u.order.attribute, "price");
	assert_string_equal(slice(f, &u, u.order_span), "cheapest");
	assert_string_equal(u.order_reading, "price, lowest first");
	u = ask(f, query, SEARCH_WITHOUT_ORDER);
	assert_null(u.order.attribute);
	assert_string_equal(u.text, "cheapest laptop");
	u = ask(f, query, SEARCH_WITHOUT_EXCLUSIONS);
	assert_string_equal(u.text, "laptop not refurbished");
	for (size_t i = 0; i < u.n_phrases; i++)
		assert_false(u.phrases[i].is_excluded);
}

static void quotes_and_minus_make_phrases(void **state)
{
	struct fixture *f = *state;
	struct search_understood u = ask(f, "cable \"usb c\" -hdmi -\"mini displayport\" 2 m", 0);

	check(f, &u);
	assert_int_equal(u.n_phrases, 4);
	assert_string_equal(slice(f, &u, u.phrases[0].span), "cable");
	assert_string_equal(slice(f, &u, u.phrases[1].span), "usb c");
	assert_true(u.phrases[1].is_exact && !u.phrases[1].is_excluded);
	assert_string_equal(slice(f, &u, u.phrases[2].span), "hdmi");
	assert_true(u.phrases[2].is_excluded && !u.phrases[2].is_exact);
	assert_string_equal(slice(f, &u, u.phrases[3].span), "mini displayport");
	assert_true(u.phrases[3].is_excluded && u.phrases[3].is_exact);
	assert_string_equal(u.text, "cable usb c");
}

static void only_words_understands_nothing_but_quotes_and_minus(void **state)
{
	struct fixture *f = *state;
	struct search_understanding how = {.only_words = true};
	struct search_understood u;

	search_query_understand(f->products,
				str_from("cheapest \"gaming laptop\" under $100 -hp not dell"),
				&how, &f->arena, &u);
	check(f, &u);
	assert_int_equal(u.n_constraints, 0);
	assert_null(u.order.attribute);
	assert_string_equal(u.text, "cheapest gaming laptop under $100 not dell");
	assert_int_equal(u.n_phrases,
			 5); /* "cheapest", the quotes, "under $100", "-hp", the rest */
}

static void the_same_query_has_the_same_answer(void **state)
{
	struct fixture *f = *state;
	const char *query = "quiet mechanical keyboard under $100, not refurbished, cheapest first";
	struct search_understood a = ask(f, query, 0), b = ask(f, query, 0);

	assert_int_equal(a.n_constraints, b.n_constraints);
	for (size_t i = 0; i < a.n_constraints; i++)
		assert_string_equal(filter_text(f, &a.constraints[i].filter),
				    filter_text(f, &b.constraints[i].filter));
	assert_string_equal(a.text, b.text);
}

static void words_are_compared_without_case_and_accents(void **state)
{
	struct fixture *f = *state;
	struct search_understood u =
	    ask(f,
		"K\xc3\x89YBOARD BY \xef\xbc\xa3herry UNDER \xef\xbc\x95\xef"
		"\xbc\x90 DOLLARS",
		0);

	check(f, &u);
	assert_int_equal(u.n_constraints, 3);
	assert_string_equal(u.constraints[1].filter.values[0], "CHERRY");
	assert_true(u.constraints[2].filter.max == 50);
}

static void a_long_query_is_cut_at_a_character(void **state)
{
	struct fixture *f = *state;
	struct strbuf b = STRBUF_INIT(0);
	struct search_understood u;

	while (b.len < SEARCH_QUERY_MAX + 100)
		strbuf_addstr(&b, "\xe2\x82\xac\xe2\x82\xac ");
	u = ask(f, strbuf_str(&b), 0);
	check(f, &u);
	assert_true(strlen(u.query) <= SEARCH_QUERY_MAX && strlen(u.query) > SEARCH_QUERY_MAX - 4);
	strbuf_clear(&b);
	for (int i = 0; i < 500; i++)
		strbuf_addstr(&b, "under $5 sony ");
	u = ask(f, strbuf_str(&b), 0);
	check(f, &u);
	strbuf_clear(&b);
	for (int i = 0; i < SEARCH_QUERY_MAX; i++)
		strbuf_addch(&b, 'a');
	u = ask(f, strbuf_str(&b), 0);
	check(f, &u);
	assert_int_equal(strlen(u.text), SEARCH_QUERY_MAX);
	strbuf_done(&b);
}

static void what_is_no_text_parts_words(void **state)
{
	struct fixture *f = *state;
	struct search_understood u = ask(f,
					 "key\xff"
					 "board \xe2\x80\xae"
					 "under\xe2\x80\x8f $50 \x01\x1b[31m",
					 0);

	check(f, &u);
	assert_int_equal(u.n_constraints, 1);
	assert_string_equal(filter_text(f, &u.constraints[0].filter), "price<50");
	assert_non_null(strstr(u.query, "key" UTF8_REPLACEMENT "board"));
	assert_null(strstr(u.query, "\x1b"));
}

static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525U + 1013904223U; /* Numerical Recipes' quick generator */
	return (uint32_t)(((uint64_t)(*state >> 8) * n) >> 24);
}

/* Pieces of the grammar, of operators and of rubbish, in any order. */
static void ten_thousand_hostile_queries_do_no_harm(void **state)
{
	static const char *const pieces[] = {
	    "under",
	    "between",
	    "and",
	    "or",
	    "not",
	    "no",
	    "without",
	    "-",
	    "\"",
	    "$",
	    "100",
	    "1e999",
	    "-5",
	    "NaN",
	    "inf",
	    "0x10",
	    "27\"",
	    "gb",
	    "16gb",
	    "inch",
	    "keyboard",
	    "laptop",
	    "sony",
	    "black",
	    "price",
	    "memory",
	    "at",
	    "least",
	    "more than",
	    "or more",
	    "+",
	    "%",
	    "*",
	    "(",
	    ")",
	    "' OR 1=1",
	    ";--",
	    "<script>",
	    "${x}",
	    "\\",
	    "\xff",
	    "\xc3",
	    "\xe2\x80\xae",
	    "\xf0\x9f\x92\xa9",
	    "\xd8\xb3",
	    "2024-02-30",
	    "since",
	    "9999999999999999999999",
	    "cheapest",
	    "first",
	    "of",
	    "the",
	    "",
	    " ",
	    "\t",
	    "..",
	    "/",
	    "k",
	    "2024-01-01",
	    "to",
	    "from",
	    "range",
	    "color",
	    ":",
	    "=",
	    "<=",
	    ">",
	    "~",
	    "\xe2\x80\x9c",
	    "\xe2\x80\x9d",
	    "0",
	    "00000000000000000001",
	    "1,000,000.00",
	    "w/o",
	    "4+",
	    "stars",
	    "released",
	    "in",
	    "lighter",
	    "than",
	    "most",
	    "in stock",
	    "service",
	    "a hundred",
	};
	struct fixture *f = *state;
	uint32_t random = 1;

	for (int i = 0; i < HOSTILE_QUERIES; i++) {
		struct strbuf b = STRBUF_INIT(0);
		uint32_t n = 1 + random_below(&random, i % 100 ? 12 : 300);
		struct search_understood u;

		for (uint32_t k = 0; k < n; k++) {
			strbuf_addstr(&b, pieces[random_below(&random, ARRAY_LEN(pieces))]);
			if (random_below(&random, 4))
				strbuf_addch(&b, ' ');
		}
		u = ask(f, strbuf_str(&b), random_below(&random, 8) ? 0 : random);
		check(f, &u);
		strbuf_done(&b);
		arena_clear(&f->arena);
	}
}

static void each_value_list(void *arg, size_t attribute,
			    void (*each)(void *to, const struct search_value *v), void *to)
{
	const struct search_value *values = arg;

	(void)attribute;
	for (; values->text; values++)
		each(to, values);
}

/* What the catalogue knows decides what a word is. */
static void a_brand_that_is_a_common_word_is_none(void **state)
{
	static const char rules_text[] =
	    "collections:\n  things:\n    texts: [{parts: [{say: x}]}]\n    attributes:\n"
	    "      brand: {field: b, type: text, ask: filter, keep: true}\n";
	struct search_value values[] = {{"Desk", 2}, {"Lamp Co", 5}, {"Acme", 40},    {"PA", 30},
					{"the", 90}, {"12", 50},     {"Acme-Tec", 9}, {NULL, 0}};
	static const struct {
		const char *query;
		size_t n;
	} cases[] = {{"desk", 0}, {"acme", 1}, {"lamp co", 1}, {"acme or the", 1}, {"12", 0},
		     {"PA", 1},	  {"pa", 0},   {"acmetec", 1}, {"acme tec", 1},	   {"lamp", 0}};
	struct search_catalogue catalogue = {.values = each_value_list, .arg = values};
	struct search_understanding how = {0};
	struct search_rules *rules = NULL;
	struct search_vocabulary *v;
	struct fixture *f = *state;

	assert_int_equal(search_rules_parse("s.yaml", str_from(rules_text), &rules, NULL), 0);
	catalogue.rules = search_rules_find(rules, "things");
	v = search_vocabulary_new(&catalogue);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_understood u;

		search_query_understand(v, str_from(cases[i].query), &how, &f->arena, &u);
		if (u.n_constraints != cases[i].n)
			fail_msg("\"%s\" has %zu constraints", cases[i].query, u.n_constraints);
	}
	(void)search_vocabulary_free(v);
	(void)search_rules_free(rules);
}

static int set_up(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);

	f->catalogue = query_catalogue_new();
	f->products = query_catalogue_vocabulary(f->catalogue, "product_catalog");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)query_catalogue_free(f->catalogue);
	arena_done(&f->arena);
	mem_free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_constraint_says_where_it_stands_and_what_it_means),
	    cmocka_unit_test(readings_are_for_people),
	    cmocka_unit_test(what_is_given_up_is_words_again),
	    cmocka_unit_test(order_and_exclusions_can_be_given_up),
	    cmocka_unit_test(quotes_and_minus_make_phrases),
	    cmocka_unit_test(only_words_understands_nothing_but_quotes_and_minus),
	    cmocka_unit_test(the_same_query_has_the_same_answer),
	    cmocka_unit_test(words_are_compared_without_case_and_accents),
	    cmocka_unit_test(a_long_query_is_cut_at_a_character),
	    cmocka_unit_test(what_is_no_text_parts_words),
	    cmocka_unit_test(ten_thousand_hostile_queries_do_no_harm),
	    cmocka_unit_test(a_brand_that_is_a_common_word_is_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
