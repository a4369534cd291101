/* Which documents are one thing in several variants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_twins.h"

#include "base/banned.h"

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    attributes:\n"
				 "      color: {field: color, type: text}\n"
				 "      brand: {field: brand, type: text}\n"
				 "    similar: {twin: 0.98, apart: [color]}\n";

static struct fixture {
	struct search_rules *rules;
	struct search_columns *columns;
	struct search_analyzer *analyzer;
	struct search_twins twins;
	struct arena arena;
} f;

static int start(void **state)
{
	static const char *const colors[] = {"Black", "Dark Grey", "red"};
	struct search_corpus_view view = {0};
	struct err err = {0};

	(void)state;
	f = (struct fixture){0};
	if (search_rules_parse("s.yaml", str_from(rules_text), &f.rules, &err) < 0 ||
	    search_analyzer_new("english", &f.analyzer, &err) < 0)
		fail_msg("%s", err.message);
	view.rules = search_rules_find(f.rules, "c");
	f.columns = search_columns_new(view.rules);
	for (uint32_t i = 0; i < ARRAY_LEN(colors); i++) {
		struct search_datum d = {.attribute = 0, .text = str_from(colors[i])};

		search_columns_put(f.columns, i, &d, 1);
	}
	view.columns = f.columns;
	search_twins_init(&f.twins, &view, f.analyzer, &f.arena);
	f.twins.dimension = 2;
	return 0;
}

static int end(void **state)
{
	(void)state;
	search_twins_done(&f.twins);
	search_columns_free(f.columns);
	search_analyzer_free(f.analyzer);
	search_rules_free(f.rules);
	arena_done(&f.arena);
	return 0;
}

static bool are_one(const char *a, const float *va, const char *b, const float *vb)
{
	struct search_twin x = {search_twins_title(&f.twins, str_from(a)), va};
	struct search_twin y = {search_twins_title(&f.twins, str_from(b)), vb};

	return search_twins_are_one(&f.twins, &x, &y);
}

static void titles_that_differ_by_number_size_and_colour_are_one(void **state)
{
	(void)state;
	assert_true(are_one("Acme coffee mug, black", NULL, "Acme coffee mug, dark grey", NULL));
	assert_true(are_one("Acme coffee mug 300 ml Red", NULL, "Acme coffee mug 0.5 ml", NULL));
	assert_true(are_one("Acme USB cable 2m", NULL, "Acme USB Cable, 10m black", NULL));
}

static void other_words_are_other_things(void **state)
{
	(void)state;
	assert_false(are_one("Acme coffee mug, black", NULL, "Acme tea mug, black", NULL));
	assert_false(are_one("Acme coffee mug", NULL, "Zoom coffee mug", NULL));
}

static void titles_of_little_more_than_a_number_say_nothing(void **state)
{
	(void)state;
	assert_false(are_one("OKI 42126671", NULL, "OKI 42126672", NULL));
	assert_false(are_one("", NULL, "", NULL));
	assert_null(search_twins_title(&f.twins, str_from("black 300")));
}

static void vectors_that_are_as_good_as_equal_are_one(void **state)
{
	static const float a[] = {1, 0}, near[] = {0.995F, 0.0998F}, far[] = {0.8F, 0.6F};

	(void)state;
	assert_true(are_one("a mug", a, "a cup", near));
	assert_false(are_one("a mug", a, "a cup", far));
	/* The titles say one, the vectors say no. */
	assert_false(are_one("Acme coffee mug 1", a, "Acme coffee mug 2", far));
	assert_true(are_one("Acme coffee mug 1", a, "Acme coffee mug 2", NULL));
}

static void without_the_rule_each_is_another_thing(void **state)
{
	static const float a[] = {1, 0};
	struct search_likeness none = {0};

	(void)state;
	f.twins.rules = &none;
	assert_false(are_one("Acme coffee mug 1", a, "Acme coffee mug 2", a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(titles_that_differ_by_number_size_and_colour_are_one),
	    TEST(other_words_are_other_things),
	    TEST(titles_of_little_more_than_a_number_say_nothing),
	    TEST(vectors_that_are_as_good_as_equal_are_one),
	    TEST(without_the_rule_each_is_another_thing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
