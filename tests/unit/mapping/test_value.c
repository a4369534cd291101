/* Texts of columns to BSON, and keys to _id and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mapping/mapping_int.h"

#include <stdlib.h>

#include "base/banned.h"

static const struct {
	enum mapping_convert convert;
	const char *text, *wanted; /* wanted NULL: refused */
} values[] = {
    {CONVERT_BOOL, "0", "false"},
    {CONVERT_BOOL, "-1", "true"},
    {CONVERT_INT, "-9223372036854775808", "{ \"$numberLong\" : \"-9223372036854775808\" }"},
    {CONVERT_INT, "9223372036854775808", "{ \"$numberDecimal\" : \"9223372036854775808\" }"},
    {CONVERT_DECIMAL, "10.50", "{ \"$numberDecimal\" : \"10.50\" }"},
    {CONVERT_DECIMAL, "0.00", "{ \"$numberDecimal\" : \"0.00\" }"},
    {CONVERT_DECIMAL, "12345678901234567890123456789012345", NULL},
    {CONVERT_DOUBLE, "1.5", "{ \"$numberDouble\" : \"1.5\" }"},
    {CONVERT_DOUBLE, "x", NULL},
    {CONVERT_STRING, "", "\"\""},
    {CONVERT_STRING, "a \xff", NULL},
    {CONVERT_DATE, "1970-01-01", "{ \"$date\" : { \"$numberLong\" : \"0\" } }"},
    {CONVERT_DATE, "1969-12-31 23:59:59.9999", "{ \"$date\" : { \"$numberLong\" : \"-1\" } }"},
    {CONVERT_DATE, "2024-02-29 12:00:00.123999",
     "{ \"$date\" : { \"$numberLong\" : \"1709208000123\" } }"},
    {CONVERT_DATE, "9999-12-31 23:59:59",
     "{ \"$date\" : { \"$numberLong\" : \"253402300799000\" } }"},
    {CONVERT_DATE, "0000-00-00", "null"},
    {CONVERT_DATE, "0000-00-00 00:00:00.000000", "null"},
    {CONVERT_DATE, "2023-00-10", NULL},
    {CONVERT_DATE, "2023-02-29", NULL},
    {CONVERT_DATE, "2023-02-28 25:00:00", NULL},
    {CONVERT_DATE, "2023-02-28x", NULL},
    {CONVERT_BINARY, "ab", "{ \"$binary\" : { \"base64\" : \"YWI=\", \"subType\" : \"00\" } }"},
    {CONVERT_SET, "", "[  ]"},
    {CONVERT_SET, "a,b", "[ \"a\", \"b\" ]"},
    {CONVERT_JSON, "{\"b\":1,\"a\":[true,null,\"x\",2.5]}",
     "{ \"b\" : { \"$numberLong\" : \"1\" }, \"a\" : [ true, null, \"x\", { \"$numberDouble\" : "
     "\"2.5\""
     " } ] }"},
    {CONVERT_JSON, "null", "null"},
    {CONVERT_JSON, "{\"a\":1,\"a\":2}", NULL},
    {CONVERT_JSON, "9223372036854775808", NULL},
    {CONVERT_JSON, "{", NULL},
    {CONVERT_JSON, "", NULL},
};

static void texts_become_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		bson_t b = BSON_INITIALIZER;
		struct err err = {0};
		int r = mapping_append_value(&b, "v", 1, values[i].convert,
					     str_from(values[i].text), &err);

		if (!values[i].wanted) {
			assert_int_equal(r, -ERR_DOCUMENT);
			if (strlen(values[i].text) > 1)
				assert_null(strstr(err.message, values[i].text));
		} else {
			_cleanup_(mem_freep) char *wanted =
			    mem_printf("{ \"v\" : %s }", values[i].wanted);
			char *json = bson_as_canonical_extended_json(&b, NULL);

			assert_int_equal(r, 0);
			assert_string_equal(json, wanted);
			bson_free(json);
		}
		bson_destroy(&b);
	}
}

static void deep_json_is_refused(void **state)
{
	struct strbuf deep = STRBUF_INIT(0);
	bson_t b = BSON_INITIALIZER;
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		strbuf_addch(&deep, '[');
	for (int i = 0; i < 100; i++)
		strbuf_addch(&deep, ']');
	assert_int_equal(mapping_append_value(&b, "v", 1, CONVERT_JSON, strbuf_slice(&deep), &err),
			 -ERR_DOCUMENT);
	strbuf_done(&deep);
	bson_destroy(&b);
}

static struct mapping *bound(const char *table, const char *key)
{
	_cleanup_(mem_freep) char *text = mem_printf(
	    "collection: c\ntable: %s\nkey: %s\nqueue: q\nfields: {name: name}\n", table, key);
	struct mapping *m = NULL;
	struct err err = {0};

	if (mapping_parse("m.yaml", text, strlen(text), &m, &err) < 0 ||
	    mapping_bind(m, fixture_schema(), &err) < 0)
		fail_msg("%s", err.message);
	return m;
}

static void check_key(const struct mapping *m, const char *typed, const char *key, const char *id)
{
	_cleanup_(arena_done) struct arena arena = {0};
	bson_t b = BSON_INITIALIZER;
	struct str parsed, back;
	struct err err = {0};
	bson_iter_t iter;
	char *json;

	assert_int_equal(mapping_key_parse(m, typed, &arena, &parsed, &err), 0);
	assert_string_equal(parsed.data, key);
	assert_int_equal(mapping_key_append(m, parsed, &b, "_id", &err), 0);
	json = bson_as_canonical_extended_json(&b, NULL);
	assert_string_equal(json, id);
	bson_free(json);
	assert_true(bson_iter_init_find(&iter, &b, "_id"));
	assert_int_equal(mapping_key_of_id(m, &iter, &arena, &back, &err), 0);
	assert_true(str_equal(parsed, back));
	bson_destroy(&b);
}

static void keys_go_to_id_and_back(void **state)
{
	struct mapping *numbers = bound("customer", "id"), *texts = bound("land", "code");

	(void)state;
	check_key(numbers, "007", "7", "{ \"_id\" : { \"$numberLong\" : \"7\" } }");
	check_key(numbers, "18446744073709551615", "18446744073709551615",
		  "{ \"_id\" : { \"$numberDecimal\" : \"18446744073709551615\" } }");
	check_key(texts, "a:b%", "a:b%", "{ \"_id\" : \"a:b%\" }");
	check_key(texts, "", "", "{ \"_id\" : \"\" }");
	mapping_free(numbers);
	mapping_free(texts);
}

static void what_no_row_can_have_is_no_key(void **state)
{
	struct mapping *m = bound("customer", "id");
	_cleanup_(arena_done) struct arena arena = {0};
	bson_t ids = BSON_INITIALIZER, out = BSON_INITIALIZER;
	struct err err = {0};
	bson_decimal128_t d;
	bson_iter_t iter;
	struct str key;

	(void)state;
	assert_int_equal(mapping_key_parse(m, "1x", &arena, &key, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(mapping_key_append(m, str_from("007"), &out, "_id", &err), -ERR_DOCUMENT);
	assert_int_equal(mapping_key_append(m, str_from(""), &out, "_id", &err), -ERR_DOCUMENT);
	bson_append_utf8(&ids, "text", -1, "7", -1);
	bson_append_int32(&ids, "int32", -1, 7);
	bson_append_double(&ids, "double", -1, 7);
	assert_true(bson_decimal128_from_string("7", &d));
	bson_append_decimal128(&ids, "decimal", -1, &d);
	bson_append_null(&ids, "null", -1);
	assert_true(bson_iter_init(&iter, &ids));
	while (bson_iter_next(&iter))
		assert_int_equal(mapping_key_of_id(m, &iter, &arena, &key, &err), -ERR_DOCUMENT);
	bson_destroy(&ids);
	bson_destroy(&out);
	mapping_free(m);
}

static void composite_keys_are_split_exactly(void **state)
{
	const struct schema_column number = {
	    .name = "a", .type = SCHEMA_INT, .data_type = "bigint"};
	const struct schema_column text = {
	    .name = "b", .type = SCHEMA_TEXT, .data_type = "varchar"};
	const struct schema_column *columns[] = {&number, &text};
	_cleanup_(arena_done) struct arena arena = {0};
	struct str parts[2];

	(void)state;
	assert_true(mapping_key_split(str_from("1:a%3Ab%25"), columns, 2, &arena, parts));
	assert_true(str_equal(parts[1], str_from("a:b%")));
	assert_true(mapping_key_split(str_from("1:"), columns, 2, &arena, parts));
	assert_int_equal(parts[1].len, 0);
	assert_false(mapping_key_split(str_from("1"), columns, 2, &arena, parts));
	assert_false(mapping_key_split(str_from("1:a:b"), columns, 2, &arena, parts));
	assert_false(mapping_key_split(str_from("1:a%3"), columns, 2, &arena, parts));
	assert_false(mapping_key_split(str_from("1:a%41"), columns, 2, &arena, parts));
	assert_false(mapping_key_split(str_from("01:a"), columns, 2, &arena, parts));
	assert_false(mapping_key_split(str_from("1:\xff"), columns, 2, &arena, parts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_become_values),
	    cmocka_unit_test(deep_json_is_refused),
	    cmocka_unit_test(keys_go_to_id_and_back),
	    cmocka_unit_test(what_no_row_can_have_is_no_key),
	    cmocka_unit_test(composite_keys_are_split_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
