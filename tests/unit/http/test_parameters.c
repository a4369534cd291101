/* Parameters: what is taken, what is refused, and that all that is wrong is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_parameters.h"

#include "base/banned.h"

struct values {
	const char *id, *text, *choice, *left, *right;
	int64_t integer;
	double number;
	bool boolean;
	struct http_texts texts;
	struct http_integers integers;
};

struct fixture {
	struct arena arena;
	struct values values;
	struct http_mistakes mistakes;
	struct err err;
};

static const char *const choices[] = {"red", "green", NULL};

#define OF(field) .offset = offsetof(struct values, field)

static const struct http_parameter table[] = {
    {.name = "id", .in_path = true, .is_required = true, .min = 1, .max = 16, OF(id)},
    {.name = "text", .is_required = true, .max = 16, .characters_max = 5, OF(text)},
    {.name = "integer",
     .type = HTTP_TYPE_INTEGER,
     .min = -5,
     .max = 100,
     .fallback = "7",
     OF(integer)},
    {.name = "number", .type = HTTP_TYPE_NUMBER, .min = 0, .max = 1, OF(number)},
    {.name = "boolean", .type = HTTP_TYPE_BOOLEAN, OF(boolean)},
    {.name = "choice",
     .type = HTTP_TYPE_CHOICE,
     .choices = choices,
     .fallback = "green",
     OF(choice)},
    {.name = "texts", .min = 1, .max = 4, .count_max = 3, OF(texts)},
    {.name = "integers",
     .type = HTTP_TYPE_INTEGER,
     .min = 0,
     .max = 15,
     .count_max = 2,
     OF(integers)},
    {0},
};

static const struct http_parameter alternatives[] = {
    {.name = "left", .is_alternative = true, .max = 9, OF(left)},
    {.name = "right", .is_alternative = true, .max = 9, OF(right)},
    {0},
};

static int read_with(struct fixture *f, const struct http_parameter *t, const char *segment,
		     const char *query)
{
	const struct http_input input = {.segment = str_from(segment), .query = str_from(query)};

	arena_clear(&f->arena);
	f->values = (struct values){0};
	f->err = (struct err){0};
	return http_parameters_read(t, &input, &f->arena, &f->values, &f->mistakes, &f->err);
}

static void taken(struct fixture *f, const char *query)
{
	if (read_with(f, table, "1", query) < 0)
		fail_msg("%s: %s", query, f->err.message);
	assert_int_equal(f->mistakes.n, 0);
}

static void refused(struct fixture *f, const char *query, const char *parameter, const char *detail)
{
	assert_int_equal(read_with(f, table, "1", query), -ERR_INVALID_ARGUMENT);
	assert_int_equal(f->mistakes.n, 1);
	assert_string_equal(f->mistakes.items[0].parameter, parameter);
	assert_string_equal(f->mistakes.items[0].detail, detail);
	assert_non_null(strstr(f->err.message, detail));
}

static int set_up(void **state)
{
	*state = MEM_NEW(struct fixture);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_done(&f->arena);
	mem_free(f);
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static void values_fill_their_fields(void **state)
{
	struct fixture *f = *state;

	taken(f, "integer=-5&text=ab&number=0.25&boolean=true&choice=red&texts=a&integers=15"
		 "&texts=b&integers=0&texts=a");
	assert_string_equal(f->values.id, "1");
	assert_string_equal(f->values.text, "ab");
	assert_int_equal(f->values.integer, -5);
	assert_true(f->values.number == 0.25);
	assert_true(f->values.boolean);
	assert_ptr_equal(f->values.choice, choices[0]);
	assert_int_equal(f->values.texts.n, 3);
	assert_string_equal(f->values.texts.items[0], "a");
	assert_string_equal(f->values.texts.items[1], "b");
	assert_string_equal(f->values.texts.items[2], "a");
	assert_int_equal(f->values.integers.n, 2);
	assert_int_equal(f->values.integers.items[0], 15);
	assert_int_equal(f->values.integers.items[1], 0);
}

static void what_is_not_given_has_its_default_or_is_zero(void **state)
{
	struct fixture *f = *state;

	taken(f, "text=");
	assert_string_equal(f->values.text, "");
	assert_int_equal(f->values.integer, 7);
	assert_ptr_equal(f->values.choice, choices[1]);
	assert_true(f->values.number == 0);
	assert_false(f->values.boolean);
	assert_int_equal(f->values.texts.n, 0);
	assert_int_equal(f->values.integers.n, 0);
}

static void a_query_is_decoded_as_forms_send_it(void **state)
{
	static const char *const same[][2] = {{"text=a+b", "a b"},
					      {"text=a%2Bb", "a+b"},
					      {"text=a%20b", "a b"},
					      {"t%65xt=%61", "a"},
					      {"text=a=b", "a=b"},
					      {"&&text=a&&", "a"},
					      {"text=%26%3d%3D", "&=="},
					      {"text", ""},
					      {"text=%c3%a9", "\xc3\xa9"},
					      {"text=\xc3\xa9", "\xc3\xa9"},
					      {"text=%e2%80%ae", "\xe2\x80\xae"},
					      {"text=%01", "\x01"}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		taken(f, same[i][0]);
		assert_string_equal(f->values.text, same[i][1]);
	}
}

static void a_segment_of_the_path_keeps_its_plus_and_its_escaped_slash(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_with(f, table, "a+b%2Fc%20d", "text=x"), 0);
	assert_string_equal(f->values.id, "a+b/c d");
	assert_int_equal(read_with(f, table, "%zz", "text=x"), -ERR_INVALID_ARGUMENT);
	assert_string_equal(f->mistakes.items[0].parameter, "id");
	assert_int_equal(read_with(f, table, "12345678901234567", "text=x"), -ERR_INVALID_ARGUMENT);
	assert_string_equal(f->mistakes.items[0].detail, "must have at most 16 bytes");
}

/* --- mistakes --------------------------------------------------------------------------------- */

static void numbers_have_a_type_and_a_range(void **state)
{
	static const char *const wrong[] = {
	    "-6",
	    "101",
	    "",
	    "x",
	    "1x",
	    "+",
	    "1.5",
	    "0x10",
	    "9223372036854775808",
	    "99999999999999999999999999999999999999999999999999999999999999999999999999999999"};
	static const char *const wrong_numbers[] = {"-0.1", "1.1", "", "nan", "inf", "1e999", "x"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char *query = mem_printf("text=a&integer=%s", wrong[i]);

		refused(f, query, "integer", "must be a whole number from -5 to 100");
		mem_free(query);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong_numbers); i++) {
		char *query = mem_printf("text=a&number=%s", wrong_numbers[i]);

		refused(f, query, "number", "must be a number from 0 to 1");
		mem_free(query);
	}
}

static void texts_have_a_length_in_bytes_and_in_characters(void **state)
{
	struct fixture *f = *state;

	taken(f, "text=12345");
	taken(f, "text=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9");
	refused(f, "text=123456", "text", "must have at most 5 characters");
	refused(f, "text=%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80", "text",
		"must have at most 16 bytes");
	refused(f, "text=a&texts=", "texts", "must not be empty");
	refused(f, "text=a&texts=12345", "texts", "must have at most 4 bytes");
}

static void texts_that_are_no_text_are_refused(void **state)
{
	static const char *const broken[] = {"%ff",	  "%c3",  "%c0%80",
					     "%ed%a0%80", "\xff", "%f4%90%80%80"};
	static const char *const escapes[] = {"%", "%4", "%zz", "%4g", "a%"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		char *query = mem_printf("text=%s", broken[i]);

		refused(f, query, "text", "is not valid UTF-8");
		mem_free(query);
	}
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		char *query = mem_printf("text=%s", escapes[i]);

		refused(f, query, "text", "holds a \"%\" without two hexadecimal digits behind it");
		mem_free(query);
	}
	refused(f, "text=a%00b", "text", "holds a NUL byte");
}

static void choices_and_booleans_take_their_words_only(void **state)
{
	struct fixture *f = *state;

	refused(f, "text=a&choice=blue", "choice", "must be one of: red, green");
	refused(f, "text=a&choice=Red", "choice", "must be one of: red, green");
	refused(f, "text=a&choice=", "choice", "must be one of: red, green");
	refused(f, "text=a&boolean=maybe", "boolean", "must be true or false");
	refused(f, "text=a&boolean", "boolean", "must be true or false");
}

static void repeating_is_for_lists_and_bounded(void **state)
{
	struct fixture *f = *state;

	refused(f, "text=a&text=a", "text", "is given more than once");
	refused(f, "text=a&text=a&text=a", "text", "is given more than once");
	refused(f, "text=a&integers=1&integers=1&integers=1", "integers",
		"is given more than 2 times");
}

static void unknown_names_are_told_with_the_nearest_one(void **state)
{
	struct fixture *f = *state;

	refused(f, "text=a&intger=1", "intger", "is not known here; did you mean \"integer\"?");
	refused(f, "text=a&Text=a", "Text", "is not known here; did you mean \"text\"?");
	refused(f, "text=a&zzzzzzzz", "zzzzzzzz", "is not known here");
	refused(f, "text=a&=1", "", "is not known here");
	refused(f, "text=a&text%00=1", "text%00", "is not known here; did you mean \"text\"?");
	refused(f, "text=a&id=2", "id", "is not known here");
	/* Of a long one, the beginning. */
	refused(f,
		"text=a&"
		"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz=",
		"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
		"is not known here");
}

static void all_that_is_wrong_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_with(f, table, "%", "integer=x&colour=1&choice=blue"),
			 -ERR_INVALID_ARGUMENT);
	assert_int_equal(f->mistakes.n, 5);
	assert_string_equal(
	    f->err.message,
	    "\"id\" holds a \"%\" without two hexadecimal digits behind it; \"integer\" must be a "
	    "whole number from -5 to 100; \"colour\" is not known here; \"choice\" must be one of: "
	    "red, green; \"text\" is missing");
}

static void mistakes_are_bounded(void **state)
{
	struct strbuf query = STRBUF_INIT(0);
	struct fixture *f = *state;

	for (int i = 0; i < 5000; i++)
		strbuf_addf(&query, "%s=%%ff&", i % 2 ? "text" : "same");
	assert_int_equal(read_with(f, table, "1", strbuf_str(&query)), -ERR_INVALID_ARGUMENT);
	assert_int_equal(f->mistakes.n, 3); /* unknown, no UTF-8, more than once */
	assert_false(f->mistakes.has_more);
	strbuf_clear(&query);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&query, "name%d=1&", i);
	assert_int_equal(read_with(f, table, "1", strbuf_str(&query)), -ERR_INVALID_ARGUMENT);
	assert_int_equal(f->mistakes.n, HTTP_MISTAKES_MAX);
	assert_true(f->mistakes.has_more);
	strbuf_done(&query);
}

static void exactly_one_of_alternatives_is_given(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_with(f, alternatives, "", "right=x"), 0);
	assert_null(f->values.left);
	assert_string_equal(f->values.right, "x");
	assert_int_equal(read_with(f, alternatives, "", ""), -ERR_INVALID_ARGUMENT);
	assert_string_equal(f->mistakes.items[0].parameter, "left");
	assert_string_equal(f->mistakes.items[0].detail,
			    "is one of \"left\", \"right\": exactly one has to be given");
	assert_int_equal(read_with(f, alternatives, "", "right=x&left=y"), -ERR_INVALID_ARGUMENT);
}

/* --- paths ------------------------------------------------------------------------------------ */

static bool matches(const char *path, const char *pattern, const char *segment)
{
	struct str found = {0};

	return http_uri_matches(str_from(path), pattern, &found) &&
	       str_equal(found, str_from(segment));
}

static void paths_are_compared_decoded(void **state)
{
	(void)state;
	assert_true(matches("/v1/status", "/v1/status", ""));
	assert_true(matches("/v1/%73tatus", "/v1/status", ""));
	assert_false(matches("/v1/status/", "/v1/status", ""));
	assert_false(matches("/v1/statu", "/v1/status", ""));
	assert_false(matches("/v1/status%00", "/v1/status", ""));
	assert_false(matches("/v1/status%", "/v1/status", ""));
	assert_false(matches("", "/v1/status", ""));
}

static void the_last_segment_may_vary(void **state)
{
	(void)state;
	assert_true(matches("/v1/products/15", "/v1/products/{id}", "15"));
	assert_true(matches("/%76%31/products/%31%35", "/v1/products/{id}", "%31%35"));
	assert_true(matches("/v1/products/a%2Fb", "/v1/products/{id}", "a%2Fb"));
	assert_false(matches("/v1/products/", "/v1/products/{id}", ""));
	assert_false(matches("/v1/products", "/v1/products/{id}", ""));
	assert_false(matches("/v1/products/15/", "/v1/products/{id}", ""));
	assert_false(matches("/v1/products/15/x", "/v1/products/{id}", "x"));
	assert_false(matches("/v1/productsx/15", "/v1/products/{id}", "15"));
	assert_false(matches("15", "/v1/products/{id}", "15"));
}

static void the_query_begins_at_the_first_question_mark(void **state)
{
	struct http_uri uri = http_uri_split("/a?b?c");

	(void)state;
	assert_true(str_equal(uri.path, str_from("/a")));
	assert_true(str_equal(uri.query, str_from("b?c")));
	uri = http_uri_split("/a");
	assert_true(str_equal(uri.path, str_from("/a")));
	assert_int_equal(uri.query.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(values_fill_their_fields),
	    TEST(what_is_not_given_has_its_default_or_is_zero),
	    TEST(a_query_is_decoded_as_forms_send_it),
	    TEST(a_segment_of_the_path_keeps_its_plus_and_its_escaped_slash),
	    TEST(numbers_have_a_type_and_a_range),
	    TEST(texts_have_a_length_in_bytes_and_in_characters),
	    TEST(texts_that_are_no_text_are_refused),
	    TEST(choices_and_booleans_take_their_words_only),
	    TEST(repeating_is_for_lists_and_bounded),
	    TEST(unknown_names_are_told_with_the_nearest_one),
	    TEST(all_that_is_wrong_is_told),
	    TEST(mistakes_are_bounded),
	    TEST(exactly_one_of_alternatives_is_given),
	    cmocka_unit_test(paths_are_compared_decoded),
	    cmocka_unit_test(the_last_segment_may_vary),
	    cmocka_unit_test(the_query_begins_at_the_first_question_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
