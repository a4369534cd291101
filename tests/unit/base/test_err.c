/* Errors: messages that are too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/strbuf.h"

#include "base/banned.h"

static void assert_cut(const char *text, size_t size)
{
	size_t len = strlen(text);

	assert_true(len < size && len > size - 8);
	assert_string_equal(text + len - 3, "...");
	assert_true(utf8_is_valid(text, len));
}

/* Two and four bytes a character, so that the cut falls at each place of one. */
static void a_long_message_is_cut_at_a_whole_character(void **state)
{
	static const char *const chars[] = {"\xc3\xa9", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct strbuf b = STRBUF_INIT(0);
		struct err err = {0};

		for (size_t j = 0; j < i / 2; j++)
			strbuf_addch(&b, 'x');
		while (b.len < ERR_MESSAGE_MAX + 8)
			strbuf_addstr(&b, chars[i % 2]);
		assert_int_equal(err_set(&err, ERR_IO, "%s", strbuf_str(&b)), -ERR_IO);
		assert_cut(err.message, sizeof(err.message));
		assert_int_equal(err_hint(&err, "%s", strbuf_str(&b)), -ERR_IO);
		assert_cut(err.hint, sizeof(err.hint));
		assert_int_equal(err_context(&err, "reading \"%.*s\"", (int)i, "a file"), -ERR_IO);
		assert_cut(err.message, sizeof(err.message));
		strbuf_done(&b);
	}
}

static void what_fits_is_not_cut(void **state)
{
	struct err err = {0};

	(void)state;
	(void)err_set(&err, ERR_IO, "%01023d", 7); /* with its NUL as long as the buffer */
	assert_int_equal(strlen(err.message), ERR_MESSAGE_MAX - 1);
	assert_int_equal(err.message[ERR_MESSAGE_MAX - 2], '7');
}

static void what_may_be_meant_stands_behind_the_message(void **state)
{
	struct err err = {0};

	(void)state;
	(void)err_set(&err, ERR_NOT_FOUND, "there is no \"a\"");
	assert_int_equal(err_near(&err, NULL), -ERR_NOT_FOUND);
	assert_string_equal(err.message, "there is no \"a\"");
	assert_int_equal(err_near(&err, "b"), -ERR_NOT_FOUND);
	assert_string_equal(err.message, "there is no \"a\"; did you mean \"b\"?");
	(void)err_set(&err, ERR_NOT_FOUND, "%01020d", 7);
	(void)err_near(&err, "b");
	assert_cut(err.message, sizeof(err.message));
	assert_int_equal(err_near(NULL, "b"), -ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_long_message_is_cut_at_a_whole_character),
	    cmocka_unit_test(what_fits_is_not_cut),
	    cmocka_unit_test(what_may_be_meant_stands_behind_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
