/* Conditions as text: what is read, what is refused, and that writing and reading agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_filter.h"

#include <math.h>

#include "base/banned.h"

static struct arena arena;

static struct search_filter read(const char *text)
{
	struct search_filter f = {0};
	struct err err = {0};

	if (search_filter_parse(str_from(text), &arena, &f, &err) < 0)
		fail_msg("%s", err.message);
	return f;
}

static void expect_range(const char *text, double min, double max, bool is_min_open,
			 bool is_max_open)
{
	struct search_filter f = read(text);

	if (f.kind != SEARCH_FILTER_RANGE || f.min != min || f.max != max ||
	    f.is_min_open != is_min_open || f.is_max_open != is_max_open)
		fail_msg("\"%s\" is %g..%g (%d %d)", text, f.min, f.max, f.is_min_open,
			 f.is_max_open);
}

static void comparisons_and_ranges_have_bounds(void **state)
{
	(void)state;
	expect_range("price<100", -HUGE_VAL, 100, false, true);
	expect_range(" price <= 99.95 ", -HUGE_VAL, 99.95, false, false);
	expect_range("price>-1e3", -1000, HUGE_VAL, true, false);
	expect_range("memory>=16", 16, HUGE_VAL, false, false);
	expect_range("price=200..300", 200, 300, false, false);
	expect_range("price=200 .. 300", 200, 300, false, false);
	expect_range("price=200<..<300", 200, 300, true, true);
	expect_range("price=..300", -HUGE_VAL, 300, false, false);
	expect_range("price=0.5..", 0.5, HUGE_VAL, false, false);
	assert_true(read("price!<100").is_negated && !read("price<100").is_negated);
	assert_string_equal(read("specifications.wi_fi>=5").attribute, "specifications.wi_fi");
}

static void days_reach_from_their_begin_to_their_end(void **state)
{
	double day = 0;

	(void)state;
	assert_true(search_day(2024, 2, 12, &day));
	assert_true(day == 1707696000e6);
	expect_range("date>=2024-02-12", day, HUGE_VAL, false, false);
	expect_range("date>2024-02-12", day + SEARCH_DAY_US, HUGE_VAL, false, false);
	expect_range("date<2024-02-12", -HUGE_VAL, day, false, true);
	expect_range("date<=2024-02-12", -HUGE_VAL, day + SEARCH_DAY_US, false, true);
	expect_range("date=2024-02-12..2024-02-12", day, day + SEARCH_DAY_US, false, true);
	assert_true(read("date>2024-02-12").is_date && !read("date>2024").is_date);
	assert_int_equal(read("date=2024-02-12").kind, SEARCH_FILTER_VALUES);
}

static void only_days_that_were_are_days(void **state)
{
	double us = 0;

	(void)state;
	assert_true(search_day(1970, 1, 1, &us) && us == 0);
	assert_true(search_day(1969, 12, 31, &us) && us == -SEARCH_DAY_US);
	assert_true(search_day(2000, 2, 29, &us) && search_day(2024, 2, 29, &us));
	assert_false(search_day(1900, 2, 29, &us) || search_day(2023, 2, 29, &us));
	assert_false(search_day(2023, 13, 1, &us) || search_day(2023, 4, 31, &us) ||
		     search_day(2023, 0, 1, &us) || search_day(2023, 1, 0, &us) ||
		     search_day(999, 1, 1, &us) || search_day(10000, 1, 1, &us));
}

static void values_are_kept_as_they_are(void **state)
{
	struct search_filter f = read("brand=Sony| Tripp Lite |\" a|\\\"b\\\" \"|be quiet!|=");

	(void)state;
	assert_int_equal(f.kind, SEARCH_FILTER_VALUES);
	assert_int_equal(f.n_values, 5);
	assert_string_equal(f.values[0], "Sony");
	assert_string_equal(f.values[1], "Tripp Lite");
	assert_string_equal(f.values[2], " a|\"b\" ");
	assert_string_equal(f.values[3], "be quiet!");
	assert_string_equal(f.values[4], "=");
	f = read("color!=black");
	assert_true(f.is_negated && cstr_equal(f.values[0], "black"));
	f = read("memory=16");
	assert_int_equal(f.kind, SEARCH_FILTER_VALUES);
	assert_string_equal(read("x=\"\"").values[0], "");
	assert_string_equal(read("x=\"200..300\"").values[0], "200..300");
	assert_string_equal(read("x=a..b").values[0], "a..b"); /* no numbers: a value */
}

static void what_is_wrong_is_quoted(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"", "condition \"\": the attribute's name is missing"},
	    {"=5", "condition \"=5\": the attribute's name is missing"},
	    {"price", "condition \"price\": one of ="},
	    {"price!", "one of ="},
	    {"my price<5", "this is no attribute's name"},
	    {"price<", "a number or a day"},
	    {"price<abc", "a number or a day"},
	    {"price<0x10", "a number or a day"},
	    {"price<nan", "a number or a day"},
	    {"price<1e999", "a number or a day"},
	    {"price<2023-02-29", "a number or a day"},
	    {"price=", "a value is missing"},
	    {"brand=|a", "a value is missing"},
	    {"brand=a|", "a value is missing"},
	    {"brand=\"a", "the quotes are not closed"},
	    {"brand=\"a\\", "the quotes are not closed"},
	    {"brand=\"a\"b", "there is text behind the quotes"},
	    {"brand=a\"b\"", "quotes go around the whole value"},
	    {"brand=\xff", "condition \"brand=\\xff\": it is no UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_filter f = {0};
		struct err err = {0};

		assert_int_equal(search_filter_parse(str_from(cases[i].text), &arena, &f, &err),
				 -ERR_INVALID_ARGUMENT);
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
	}
}

static void too_much_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT(65536);
	struct search_filter f = {0};

	(void)state;
	strbuf_addstr(&b, "x=a");
	for (size_t i = 1; i < SEARCH_VALUES_MAX; i++)
		strbuf_addstr(&b, "|a");
	assert_int_equal(search_filter_parse(strbuf_slice(&b), &arena, &f, NULL), 0);
	assert_int_equal(f.n_values, SEARCH_VALUES_MAX);
	strbuf_addstr(&b, "|a");
	assert_int_equal(search_filter_parse(strbuf_slice(&b), &arena, &f, NULL),
			 -ERR_INVALID_ARGUMENT);
	strbuf_clear(&b);
	strbuf_addstr(&b, "x=");
	while (b.len < SEARCH_FILTER_TEXT_MAX)
		strbuf_addch(&b, 'a');
	assert_int_equal(search_filter_parse(strbuf_slice(&b), &arena, &f, NULL), 0);
	strbuf_addch(&b, 'a');
	assert_int_equal(search_filter_parse(strbuf_slice(&b), &arena, &f, NULL),
			 -ERR_INVALID_ARGUMENT);
	strbuf_done(&b);
}

static void what_is_written_is_read_as_the_same(void **state)
{
	/* As written, which is the shortest form. */
	static const char *const texts[] = {
	    "price<100",
	    "price<=99.95",
	    "price>0.1",
	    "price>=1000000",
	    "price=200..300",
	    "price=200<..<300",
	    "price=16..16",
	    "price=-0.3333333333333333..1e+300",
	    "price!=200..300",
	    "price!>=16",
	    "date>=2024-02-12",
	    "date<1000-01-01",
	    "date=1969-07-20..<9999-12-31",
	    "brand=Sony|LG|Tripp Lite",
	    "brand!=Sony",
	    "brand=\"a|b\"|\" c\"|\"\"|\"d..e\"|\"f\\\"g\\\\h\\ni\"",
	    "memory=16",
	    "released=2024-02-12",
	    "color=\xc3\xa9t\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct strbuf b = STRBUF_INIT(0);
		struct search_filter f = read(texts[i]);

		search_filter_write(&f, &b);
		assert_string_equal(strbuf_str(&b), texts[i]);
		strbuf_done(&b);
	}
}

static void orders_are_names_with_a_sign(void **state)
{
	struct search_order o = {0};

	(void)state;
	assert_int_equal(search_order_parse(str_from("price"), &arena, &o, NULL), 0);
	assert_true(cstr_equal(o.attribute, "price") && !o.is_descending);
	assert_int_equal(search_order_parse(str_from(" -price "), &arena, &o, NULL), 0);
	assert_true(cstr_equal(o.attribute, "price") && o.is_descending);
	assert_int_equal(search_order_parse(str_from("relevance"), &arena, &o, NULL), 0);
	assert_null(o.attribute);
	assert_int_equal(search_order_parse(str_from("-relevance"), &arena, &o, NULL),
			 -ERR_INVALID_ARGUMENT);
	assert_int_equal(search_order_parse(str_from("-"), &arena, &o, NULL),
			 -ERR_INVALID_ARGUMENT);
	assert_int_equal(search_order_parse(str_from(""), &arena, &o, NULL), -ERR_INVALID_ARGUMENT);
	assert_int_equal(search_order_parse(str_from("a b"), &arena, &o, NULL),
			 -ERR_INVALID_ARGUMENT);
}

static int forget(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comparisons_and_ranges_have_bounds),
	    cmocka_unit_test(days_reach_from_their_begin_to_their_end),
	    cmocka_unit_test(only_days_that_were_are_days),
	    cmocka_unit_test(values_are_kept_as_they_are),
	    cmocka_unit_test(what_is_wrong_is_quoted),
	    cmocka_unit_test(too_much_is_refused),
	    cmocka_unit_test(what_is_written_is_read_as_the_same),
	    cmocka_unit_test(orders_are_names_with_a_sign),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
