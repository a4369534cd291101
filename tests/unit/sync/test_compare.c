/* When two values are the same, and how differences of documents are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/sync_int.h"

#include "base/banned.h"

static bson_t *json(const char *text)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &e);

	if (!b)
		fail_msg("%s: %s", text, e.message);
	return b;
}

/* Each is another value than all others. */
static const char *const values[] = {
    "null",
    "true",
    "false",
    "{\"$numberInt\": \"1\"}",
    "{\"$numberInt\": \"2\"}",
    "{\"$numberLong\": \"1\"}",
    "{\"$numberLong\": \"9007199254740993\"}",
    "{\"$numberDouble\": \"1.0\"}",
    "{\"$numberDouble\": \"0.0\"}",
    "{\"$numberDouble\": \"-0.0\"}",
    "{\"$numberDouble\": \"9007199254740992.0\"}",
    "{\"$numberDouble\": \"Infinity\"}",
    "{\"$numberDecimal\": \"1\"}",
    "{\"$numberDecimal\": \"1.0\"}", /* the scale of a price is part of it */
    "{\"$numberDecimal\": \"1.00\"}",
    "{\"$numberDecimal\": \"0.00\"}",
    "{\"$numberDecimal\": \"-1.00\"}",
    "\"\"",
    "\"1\"",
    "\"a\"",
    "\"A\"",
    "\"a \"",
    "\"a\\u0000b\"",
    "\"\xc3\xbc\"",
    "\"u\xcc\x88\"", /* the same letter, composed otherwise */
    "{\"$date\": {\"$numberLong\": \"1\"}}",
    "{\"$date\": {\"$numberLong\": \"2\"}}",
    "{\"$timestamp\": {\"t\": 1, \"i\": 2}}",
    "{\"$timestamp\": {\"t\": 2, \"i\": 1}}",
    "{\"$oid\": \"5f0000000000000000000001\"}",
    "{\"$oid\": \"5f0000000000000000000002\"}",
    "{\"$binary\": {\"base64\": \"AQ==\", \"subType\": \"00\"}}",
    "{\"$binary\": {\"base64\": \"AQ==\", \"subType\": \"05\"}}",
    "{\"$binary\": {\"base64\": \"AQI=\", \"subType\": \"00\"}}",
    "{\"$binary\": {\"base64\": \"\", \"subType\": \"00\"}}",
    "{\"$regularExpression\": {\"pattern\": \"a\", \"options\": \"\"}}",
    "{\"$regularExpression\": {\"pattern\": \"a\", \"options\": \"i\"}}",
    "{\"$code\": \"a\"}",
    "{\"$code\": \"a\", \"$scope\": {}}",
    "{\"$code\": \"a\", \"$scope\": {\"b\": 1}}",
    "{\"$symbol\": \"a\"}",
    "{\"$dbPointer\": {\"$ref\": \"a\", \"$id\": {\"$oid\": \"5f0000000000000000000001\"}}}",
    "{\"$undefined\": true}",
    "{\"$minKey\": 1}",
    "{\"$maxKey\": 1}",
    "[]",
    "{}",
    "[null]",
    "[1, 2]",
    "[2, 1]",
    "[1, 2, 3]",
    "{\"a\": 1, \"b\": 2}",
    "{\"b\": 2, \"a\": 1}", /* fields in another order */
    "{\"a\": 1}",
    "{\"a\": {\"$numberLong\": \"1\"}}",
    "{\"a\": {\"b\": [1, {\"c\": null}]}}",
    "{\"a\": {\"b\": [1, {\"c\": false}]}}",
};

static void a_value_is_the_same_as_itself_and_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		_cleanup_(mem_freep) char *at = mem_printf("{\"v\": %s}", values[i]);
		bson_t *a = json(at);

		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			/* at another place of the document, under another name */
			_cleanup_(mem_freep) char *other =
			    mem_printf("{\"x\": \"before\", \"name\": %s, \"y\": 1}", values[k]);
			bson_t *b = json(other);
			bson_iter_t ia, ib;

			assert_true(bson_iter_init_find(&ia, a, "v"));
			assert_true(bson_iter_init_find(&ib, b, "name"));
			if (sync_is_same_value(&ia, &ib) != (i == k))
				fail_msg("%s and %s", values[i], values[k]);
			bson_destroy(b);
		}
		bson_destroy(a);
	}
}

static void differ_at(const char *want, const char *have, const char *paths)
{
	bson_t *w = json(want), *h = json(have);
	_cleanup_(mem_freep) char *got = sync_diff_documents(w, h);

	if (paths) {
		assert_non_null(got);
		assert_string_equal(got, paths);
	} else {
		assert_null(got);
	}
	bson_destroy(w);
	bson_destroy(h);
}

static void only_what_the_mapping_owns_is_compared(void **state)
{
	(void)state;
	differ_at("{}", "{}", NULL);
	differ_at("{\"_id\": 1, \"a\": 1}", "{\"_id\": 2, \"a\": 1}", NULL); /* found by it */
	differ_at("{\"a\": 1}", "{\"mine\": 5, \"a\": 1, \"_sync\": {\"term\": 3}}", NULL);
	differ_at("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}", NULL); /* order at the top */
}

static void fields_are_named_by_their_path(void **state)
{
	(void)state;
	differ_at("{\"a\": 1, \"b\": 2}", "{\"b\": 2}", "a");
	differ_at("{\"a\": 1, \"b\": 2}", "{}", "a, b");
	differ_at("{\"price\": {\"$numberLong\": \"1\"}}", "{\"price\": 1}", "price");
	differ_at("{\"l\": {\"city\": \"A\", \"zip\": \"1\"}}",
		  "{\"l\": {\"city\": \"B\", \"zip\": \"1\"}}", "l.city");
	differ_at("{\"r\": [{\"text\": \"A\"}, {\"text\": \"B\"}]}",
		  "{\"r\": [{\"text\": \"A\"}, {\"text\": \"C\"}]}", "r.1.text");
	differ_at("{\"a\": {\"b\": {\"c\": [1, 2]}}}", "{\"a\": {\"b\": {\"c\": [1, 3]}}}",
		  "a.b.c.1");
}

static void what_one_side_lacks_is_named(void **state)
{
	(void)state;
	differ_at("{\"l\": {\"a\": 1, \"b\": 2}}", "{\"l\": {\"b\": 2}}", "l.a");
	differ_at("{\"l\": {\"b\": 2}}", "{\"l\": {\"a\": 1, \"b\": 2}}", "l.a");
	differ_at("{\"t\": [1, 2]}", "{\"t\": [1]}", "t.1");
	differ_at("{\"t\": [1]}", "{\"t\": [1, 2, 3]}", "t.1, t.2");
	differ_at("{\"l\": {\"a\": 1, \"b\": 2}}", "{\"l\": {\"c\": 3, \"b\": 2}}", "l.a, l.c");
}

static void another_type_is_one_difference(void **state)
{
	(void)state;
	differ_at("{\"l\": {\"a\": 1}}", "{\"l\": null}", "l");
	differ_at("{\"l\": null}", "{\"l\": {\"a\": 1}}", "l");
	differ_at("{\"l\": []}", "{\"l\": {}}", "l");
	differ_at("{\"l\": [1]}", "{\"l\": {\"0\": 1}}", "l");
	differ_at("{\"p\": {\"$numberDecimal\": \"1.0\"}}",
		  "{\"p\": {\"$numberDecimal\": \"1.00\"}}", "p");
}

static void an_order_that_differs_is_told_by_the_whole(void **state)
{
	(void)state;
	differ_at("{\"l\": {\"a\": 1, \"b\": 2}}", "{\"l\": {\"b\": 2, \"a\": 1}}", "l");
	differ_at("{\"o\": {\"l\": {\"a\": 1, \"b\": 2}}}",
		  "{\"o\": {\"l\": {\"b\": 2, \"a\": 1}}}", "o.l");
}

static void names_may_hold_dots(void **state)
{
	(void)state;
	differ_at("{\"s\": {\"a.b\": 1, \"x\": 1}}", "{\"s\": {\"a.b\": 1, \"x\": 2}}", "s.x");
	differ_at("{\"s\": {\"a\": {\"b\": 1}}}", "{\"s\": {\"a\": {\"b\": 1}, \"a.b\": 1}}",
		  "s.a.b");
}

static void a_few_are_listed(void **state)
{
	(void)state;
	differ_at("{\"t\": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}",
		  "{\"t\": [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]}",
		  "t.0, t.1, t.2, t.3, t.4, t.5, t.6, t.7, t.8, t.9");
	differ_at("{\"t\": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}",
		  "{\"t\": [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]}",
		  "t.0, t.1, t.2, t.3, t.4, t.5, t.6, t.7, t.8, t.9 and more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_value_is_the_same_as_itself_and_no_other),
	    cmocka_unit_test(only_what_the_mapping_owns_is_compared),
	    cmocka_unit_test(fields_are_named_by_their_path),
	    cmocka_unit_test(what_one_side_lacks_is_named),
	    cmocka_unit_test(another_type_is_one_difference),
	    cmocka_unit_test(an_order_that_differs_is_told_by_the_whole),
	    cmocka_unit_test(names_may_hold_dots),
	    cmocka_unit_test(a_few_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
