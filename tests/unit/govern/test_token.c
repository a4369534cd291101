/* How tokens and rates are written; and which rights of the file of access are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/access.h"
#include "govern/token.h"

#include "base/banned.h"

#define SECRET "0123456789abcdefghijABCDEFGHIJ0123456789xyz"

static void a_token_is_recognised_by_its_form(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "am_",
	    "am_ABCDefg9" SECRET "_",
	    "AM_ABCDefg9_" SECRET,
	    "am_ABCDefg9_" SECRET "0",
	    "am_ABCDefg_9" SECRET,
	    "am_ABCDef-9_" SECRET,
	    "am_ABCDefg9_0123456789abcdefghijABCDEFGHIJ0123456789xy",
	    "am_ABCDefg9_0123456789abcdefghijABCDEFGHIJ0123456789x\xc3",
	    "am_ABCDefg9_0123456789abcdefghijABCDEFGHIJ0123456789x "};
	char id[TOKEN_ID_LEN + 1] = "";

	(void)state;
	assert_true(token_parse(str_from("am_ABCDefg9_" SECRET), id));
	assert_string_equal(id, "ABCDefg9");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(token_parse(str_from(wrong[i]), id));
}

static void rates_are_read_as_they_are_written(void **state)
{
	static const char *const right[] = {"1/s", "10/s", "600/m", "5000/h", "1000000/s"};
	static const char *const wrong[] = {
	    "",	    "10",    "/s",	  "0/s", "-1/s", "1/d",	 "1/",
	    "1 /s", "1.5/s", "1000001/s", "s",	 "x/s",	 "1/ss", "99999999999999999999/s"};
	struct token_rate rate;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		struct strbuf b = STRBUF_INIT(32);

		assert_int_equal(token_parse_rate(str_from(right[i]), &rate, NULL), 0);
		token_add_rate(&b, &rate);
		assert_string_equal(strbuf_str(&b), right[i]);
		strbuf_done(&b);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err err = {0};

		assert_int_equal(token_parse_rate(str_from(wrong[i]), &rate, &err),
				 -ERR_INVALID_ARGUMENT);
	}
}

/* --- rights over HTTP ------------------------------------------------------------------------- */

static int parse(const char *role, unsigned *ret_http, struct err *err)
{
	static const char head[] =
	    "clearances:\n"
	    "  low: {name: initial}\n"
	    "  full: {name: plain, email: plain, phone: plain, address: plain, "
	    "region: plain, birth_date: plain, moment: plain, identifier: plain, "
	    "financial: plain, free_text: plain}\n"
	    "roles:\n  x: ";
	struct strbuf b = STRBUF_INIT(4096);
	struct access *a = NULL;
	int r;

	strbuf_addf(&b, "%s%s\npeople: {p: {role: x}}\n", head, role);
	r = access_parse("test.yaml", strbuf_str(&b), b.len, &a, err);
	if (r == 0)
		*ret_http = access_find_role(a, "x")->http;
	access_free(a);
	strbuf_done(&b);
	return r;
}

static void a_role_has_the_rights_that_it_is_given(void **state)
{
	struct err err = {0};
	unsigned http = 1;

	(void)state;
	assert_int_equal(parse("{clearance: low}", &http, &err), 0);
	assert_int_equal(http, 0);
	assert_int_equal(
	    parse("{clearance: low, http: [catalogue, own_orders, metrics]}", &http, &err), 0);
	assert_int_equal(http,
			 ACCESS_HTTP_CATALOGUE | ACCESS_HTTP_OWN_ORDERS | ACCESS_HTTP_METRICS);
	assert_int_equal(parse("{clearance: full, everything: true}", &http, &err), 0);
	assert_int_equal(http, ACCESS_HTTP_ALL);
	for (unsigned bit = 1; bit <= ACCESS_HTTP_ALL; bit <<= 1) {
		struct strbuf b = STRBUF_INIT(128);

		strbuf_addf(&b, "{clearance: full, http: [%s]}", access_http_name(bit));
		assert_int_equal(parse(strbuf_str(&b), &http, &err), 0);
		assert_int_equal(http, bit);
		strbuf_done(&b);
	}
}

static void rights_that_show_what_a_mask_hides_are_refused(void **state)
{
	static const char *const hidden[] = {"reviews", "customers", "orders", "index"};
	unsigned http;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		struct strbuf b = STRBUF_INIT(128);
		struct err err = {0};

		strbuf_addf(&b, "{clearance: low, http: [%s]}", hidden[i]);
		assert_int_equal(parse(strbuf_str(&b), &http, &err), -ERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.message, "sees everything plain"));
		strbuf_done(&b);
	}
	for (const char *const *w = (const char *const[]){"[all]", "catalogue", "{}", NULL}; *w;
	     w++) {
		struct strbuf b = STRBUF_INIT(128);
		struct err err = {0};

		strbuf_addf(&b, "{clearance: full, http: %s}", *w);
		assert_int_equal(parse(strbuf_str(&b), &http, &err), -ERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.message, "test.yaml:"));
		strbuf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_is_recognised_by_its_form),
	    cmocka_unit_test(rates_are_read_as_they_are_written),
	    cmocka_unit_test(a_role_has_the_rights_that_it_is_given),
	    cmocka_unit_test(rights_that_show_what_a_mask_hides_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
