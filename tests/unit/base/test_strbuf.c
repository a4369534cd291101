/* Text buffers, number parsing and UTF-8 validation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"

static void a_buffer_grows_and_stays_terminated(void **state)
{
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%d,", i);
	assert_int_equal(strlen(b.data), b.len);
	strbuf_done(&b);
}

static void what_goes_beyond_the_maximum_is_left_out_and_reported(void **state)
{
	struct strbuf b = STRBUF_INIT(4);
	struct err err = {0};

	(void)state;
	strbuf_addstr(&b, "abcd");
	assert_int_equal(strbuf_check(&b, "text", &err), 0);
	strbuf_addch(&b, 'e');
	assert_string_equal(strbuf_str(&b), "abcd");
	assert_int_equal(strbuf_check(&b, "text", &err), -ERR_LIMIT);
	assert_string_equal(err.message, "text is longer than 4 bytes");
	strbuf_done(&b);
}

static void numbers_are_whole_texts_in_range(void **state)
{
	int64_t v = 7;
	struct err err = {0};

	(void)state;
	assert_int_equal(parse_int64(str_from("-12"), -20, 20, &v, &err), 0);
	assert_int_equal(v, -12);
	assert_int_equal(parse_int64(str_from("12x"), 0, 20, &v, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(parse_int64(str_from(""), 0, 20, &v, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(parse_int64(str_from("21"), 0, 20, &v, &err), -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, "21 is out of range (0 to 20)");
	assert_int_equal(parse_int64(str_from("99999999999999999999"), 0, INT64_MAX, &v, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_int_equal(v, -12);
}

static void sizes_and_durations_have_units(void **state)
{
	int64_t v;
	struct err err = {0};

	(void)state;
	assert_int_equal(parse_size(str_from("64M"), &v, &err), 0);
	assert_int_equal(v, 64 << 20);
	assert_int_equal(parse_duration(str_from("20ms"), &v, &err), 0);
	assert_int_equal(v, 20);
	assert_int_equal(parse_duration(str_from("2h"), &v, &err), 0);
	assert_int_equal(v, 7200000);
	assert_int_equal(parse_duration(str_from("5"), &v, &err), -ERR_INVALID_ARGUMENT);
}

static void utf8_is_checked_strictly(void **state)
{
	static const char *const good[] = {"",
					   "abc",
					   "\xc3\xa9",
					   "\xe2\x82\xac",
					   "\xf0\x9f\x98\x80",
					   "eight by",
					   "seven b\xc3\xa9, then more",
					   "eight by\xe2\x82\xac"};
	static const char *const bad[] = {"\x80",
					  "\xc3",
					  "\xc0\xaf",
					  "\xed\xa0\x80",
					  "\xf4\x90\x80\x80",
					  "\xe2\x28\xa1",
					  "\xf8\x88\x80\x80",
					  "seven b\xc3",
					  "eight by\xe2\x82",
					  "eight byte words: \xff and more"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_is_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
}

static void utf8_is_cut_and_counted_by_characters(void **state)
{
	static const struct {
		const char *text;
		size_t max, len, count;
	} cases[] = {
	    {"", 0, 0, 0},
	    {"abc", 0, 0, 3},
	    {"abc", 2, 2, 3},
	    {"abc", 9, 3, 3},
	    {"a\xc3\xa9", 2, 1, 2},
	    {"a\xc3\xa9", 3, 3, 2},
	    {"\xc3\xa9", 1, 0, 1},
	    {"\xf0\x9f\x98\x80!", 3, 0, 2},
	    {"\xf0\x9f\x98\x80!", 4, 4, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str s = str_from(cases[i].text);

		assert_int_equal(utf8_cut(s, cases[i].max).len, cases[i].len);
		assert_int_equal(utf8_count(s), cases[i].count);
	}
}

static void json_text_is_valid_whatever_the_bytes(void **state)
{
	static const char *const cases[][2] = {
	    {"a \"b\" \\ \n\t\x01\x7f", "\"a \\\"b\\\" \\\\ \\n\\t\\u0001\\u007f\""},
	    {"Zo\xc3\xab \xf0\x9f\x98\x80", "\"Zo\xc3\xab \xf0\x9f\x98\x80\""},
	    {"Zo\xeb", "\"Zo\xef\xbf\xbd\""},
	    {"cut \xe2\x82", "\"cut \xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xed\xa0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
	};
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		strbuf_clear(&b);
		strbuf_add_json(&b, cases[i][0], strlen(cases[i][0]));
		assert_string_equal(strbuf_str(&b), cases[i][1]);
	}
	strbuf_done(&b);
}

static void the_nearest_name_is_suggested_and_nothing_for_nonsense(void **state)
{
	static const char *const names[] = {"mariadb", "mongodb", "stack", NULL};

	(void)state;
	assert_string_equal(cstr_nearest("maridb", names), "mariadb");
	assert_string_equal(cstr_nearest("mognodb", names), "mongodb");
	assert_null(cstr_nearest("zzzzzz", names));
	assert_null(cstr_nearest("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_buffer_grows_and_stays_terminated),
	    cmocka_unit_test(what_goes_beyond_the_maximum_is_left_out_and_reported),
	    cmocka_unit_test(numbers_are_whole_texts_in_range),
	    cmocka_unit_test(sizes_and_durations_have_units),
	    cmocka_unit_test(utf8_is_checked_strictly),
	    cmocka_unit_test(utf8_is_cut_and_counted_by_characters),
	    cmocka_unit_test(json_text_is_valid_whatever_the_bytes),
	    cmocka_unit_test(the_nearest_name_is_suggested_and_nothing_for_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
