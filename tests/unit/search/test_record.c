/* Records: made by rules, written, read back; damaged bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_record.h"

#include <math.h>

#include "base/banned.h"

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    title: name\n"
				 "    shown: {code: code, picture: pictures.url}\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    fields:\n"
				 "      name: {weight: 8, parts: [{field: name}]}\n"
				 "      all: {parts: [{field: about}, {pairs: specs}]}\n"
				 "    attributes:\n"
				 "      price: {field: price, type: number, valid: [0, 1000]}\n"
				 "      cores: {field: [specs.cores, cores], type: number}\n"
				 "      released: {field: released, type: date}\n"
				 "      in_stock: {field: stock, type: boolean, above: 0}\n"
				 "      refurbished: {field: refurbished, type: boolean}\n"
				 "      brand: {field: brand, type: text}\n"
				 "      colour: {field: colour, type: text, split: \",/\"}\n"
				 "      specs: {pairs: specs}\n";

static struct search_rules *rules;
static const struct search_collection *collection;
static struct arena arena;

static int read_rules(void **state)
{
	struct err err = {0};

	(void)state;
	if (search_rules_parse("s.yaml", str_from(rules_text), &rules, &err) < 0)
		fail_msg("%s", err.message);
	collection = search_rules_find(rules, "c");
	return 0;
}

static int forget(void **state)
{
	(void)state;
	rules = search_rules_free(rules);
	arena_done(&arena);
	return 0;
}

static void make(const char *json, struct search_record *ret)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &e);

	if (!b)
		fail_msg("%s: %s", json, e.message);
	search_record_make(collection, b, &arena, ret);
	bson_destroy(b);
}

/* The values as text: "price=9.5; specs.cores=4; brand='Sony'; ". */
static const char *values_of(const struct search_record *r)
{
	struct strbuf b = STRBUF_INIT(0);
	char *text;

	for (size_t i = 0; i < r->n_data; i++) {
		const struct search_datum *d = &r->data[i];

		strbuf_addf(&b, "%s%s%.*s=", collection->attributes[d->attribute].name,
			    d->member.len ? "." : "", STR_ARGS(d->member));
		if (d->is_number)
			strbuf_addf(&b, "%.15g; ", d->number);
		else
			strbuf_addf(&b, "'%.*s'; ", STR_ARGS(d->text));
	}
	text = arena_strdup(&arena, strbuf_str(&b));
	strbuf_done(&b);
	return text;
}

static const char whole[] =
    "{\"name\": \"  Big <b>screen</b>\", \"code\": \"X-1\", \"about\": \"Sharp.\","
    " \"pictures\": [{\"url\": null}, {\"url\": \"a.png\"}],"
    " \"price\": {\"$numberDecimal\": \"99.90\"}, \"cores\": [4, \"8\"],"
    " \"released\": {\"$date\": {\"$numberLong\": \"1707696000123\"}}, \"stock\": 3,"
    " \"refurbished\": false, \"brand\": [\"Sony\", \"Sony\", \"LG\"],"
    " \"colour\": \"red, blue/red\","
    " \"specs\": {\"cores\": 6, \"wi_fi\": [\"5\", 6.5], \"note\": \"a/b\", \"none\": null}}";

static void values_are_what_the_rules_say(void **state)
{
	struct search_record r;

	(void)state;
	make(whole, &r);
	assert_true(str_equal(r.title, str_from("Big screen")));
	assert_true(str_equal(r.texts[0], str_from("Big screen")));
	assert_true(str_equal(r.texts[1], str_from("Sharp. cores 6, note a/b")));
	assert_true(str_equal(r.shown[0], str_from("X-1")));
	assert_true(str_equal(r.shown[1], str_from("a.png")));
	assert_string_equal(values_of(&r),
			    "price=99.9; cores=6; cores=4; cores=8; released=1.707696000123e+15; "
			    "in_stock='true'; refurbished='false'; brand='Sony'; brand='LG'; "
			    "colour='red'; colour='blue'; "
			    "specs.cores=6; specs.wi_fi='5'; specs.wi_fi=6.5; specs.note='a/b'; ");
}

static void what_is_no_value_is_left_out(void **state)
{
	static const struct {
		const char *json, *values;
	} cases[] = {
	    {"{}", ""},
	    {"{\"price\": -1, \"brand\": \" \", \"colour\": \",/,\"}", ""},
	    {"{\"price\": 1000.5}", ""},
	    {"{\"price\": [1000, \"x\", \"nan\", \"inf\", null, {\"a\": 1}, true]}",
	     "price=1000; "},
	    {"{\"price\": {\"$numberDouble\": \"NaN\"}}", ""},
	    {"{\"cores\": {\"$numberDouble\": \"Infinity\"}}", ""},
	    {"{\"cores\": {\"$numberDecimal\": \"1E+6000\"}}", ""},
	    {"{\"cores\": \" 16 \"}", "cores=16; "},
	    {"{\"released\": \"2024-02-12\"}", ""},
	    {"{\"stock\": 0}", "in_stock='false'; "},
	    {"{\"stock\": \"many\"}", ""},
	    {"{\"refurbished\": \"yes\"}", "refurbished='true'; "},
	    {"{\"refurbished\": 1}", "refurbished='true'; "},
	    {"{\"refurbished\": \"maybe\"}", ""},
	    {"{\"brand\": 7}", "brand='7'; "},
	    {"{\"specs\": [{\"a\": 1}, {\"b\": true}]}", "specs.a=1; specs.b='true'; "},
	    {"{\"specs\": {\"a\": {\"b\": 1}, \"c\": []}}", ""},
	    {"{\"specs\": \"text\"}", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_record r;

		make(cases[i].json, &r);
		if (!cstr_equal(values_of(&r), cases[i].values))
			fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].json, values_of(&r),
				 cases[i].values);
	}
}

/* --- writing and reading --------------------------------------------------------------------- */

static void write_whole(struct strbuf *b)
{
	struct search_record r;

	make(whole, &r);
	assert_int_equal(search_record_write(collection, &r, b, NULL), 0);
}

/* What is read is written as the same bytes again, and columns take it and give it back. */
static void check_valid(struct str bytes)
{
	_cleanup_(search_columns_freep) struct search_columns *columns =
	    search_columns_new(collection);
	struct strbuf b = STRBUF_INIT(0);
	struct search_record r;

	assert_int_equal(search_record_read(collection, bytes, &arena, &r, NULL), 0);
	assert_int_equal(search_record_write(collection, &r, &b, NULL), 0);
	assert_true(str_equal(strbuf_slice(&b), bytes));
	search_columns_put(columns, 5, r.data, r.n_data);
	search_columns_remove(columns, 5, r.data, r.n_data);
	strbuf_done(&b);
}

static void what_is_written_is_read_as_the_same(void **state)
{
	struct search_record made, got;
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	make(whole, &made);
	write_whole(&b);
	assert_int_equal(search_record_read(collection, strbuf_slice(&b), &arena, &got, NULL), 0);
	assert_true(str_equal(made.title, got.title));
	for (size_t i = 0; i < 2; i++) {
		assert_true(str_equal(made.texts[i], got.texts[i]));
		assert_true(str_equal(made.shown[i], got.shown[i]));
	}
	assert_string_equal(values_of(&made), values_of(&got));
	check_valid(strbuf_slice(&b));
	make("{}", &made);
	strbuf_clear(&b);
	assert_int_equal(search_record_write(collection, &made, &b, NULL), 0);
	check_valid(strbuf_slice(&b));
	strbuf_done(&b);
}

static void each_cut_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct search_record r;

	(void)state;
	write_whole(&b);
	for (size_t n = 0; n < b.len; n++) {
		char *copy = mem_dup(b.data, n + 1); /* so that a sanitizer sees what is beyond */
		struct err err = {0};

		copy = mem_realloc_array(copy, n ? n : 1, 1);
		assert_int_equal(
		    search_record_read(collection, (struct str){copy, n}, &arena, &r, &err),
		    -ERR_CORRUPTED);
		assert_true(err.message[0]);
		mem_free(copy);
	}
	strbuf_addch(&b, '\0');
	assert_int_equal(search_record_read(collection, strbuf_slice(&b), &arena, &r, NULL),
			 -ERR_CORRUPTED);
	strbuf_done(&b);
}

static void each_flipped_bit_is_refused_or_harmless(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	size_t refused = 0;

	(void)state;
	write_whole(&b);
	for (size_t i = 0; i < 8 * b.len; i++) {
		struct search_record r;
		int got;

		b.data[i / 8] = (char)(b.data[i / 8] ^ 1 << (i % 8));
		got = search_record_read(collection, strbuf_slice(&b), &arena, &r, NULL);
		if (got == 0)
			check_valid(strbuf_slice(&b));
		else
			assert_int_equal(got, -ERR_CORRUPTED);
		refused += got < 0;
		b.data[i / 8] = (char)(b.data[i / 8] ^ 1 << (i % 8));
	}
	assert_true(refused > b.len); /* lengths, counts and types */
	strbuf_done(&b);
}

static void values_of_another_type_are_refused(void **state)
{
	struct search_datum d[2] = {{.attribute = 5, .member = {"", 0}, .is_number = true},
				    {.attribute = 0, .member = {"", 0}, .text = {"x", 1}}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct search_record r = {.title = {"", 0}, .data = &d[i], .n_data = 1}, got;
		struct strbuf b = STRBUF_INIT(0);

		assert_int_equal(search_record_write(collection, &r, &b, NULL), 0);
		assert_int_equal(
		    search_record_read(collection, strbuf_slice(&b), &arena, &got, NULL),
		    -ERR_CORRUPTED);
		strbuf_done(&b);
	}
}

static void records_of_other_rules_are_refused(void **state)
{
	static const char text[] = "collections: {c: {texts: [{parts: [{say: x}]}],"
				   " fields: {a: {parts: [{field: a}]}}}}";
	struct search_rules *other = NULL;
	struct strbuf b = STRBUF_INIT(0);
	struct search_record r;

	(void)state;
	assert_int_equal(search_rules_parse("s.yaml", str_from(text), &other, NULL), 0);
	write_whole(&b);
	assert_int_equal(
	    search_record_read(search_rules_find(other, "c"), strbuf_slice(&b), &arena, &r, NULL),
	    -ERR_CORRUPTED);
	search_rules_free(other);
	strbuf_done(&b);
}

/* --- hostile documents ----------------------------------------------------------------------- */

static void values_beyond_the_limit_are_left_out(void **state)
{
	struct strbuf json = STRBUF_INIT(0), b = STRBUF_INIT(2 * SEARCH_RECORD_MAX);
	struct search_record r;

	(void)state;
	strbuf_addstr(&json, "{\"brand\": [");
	for (int i = 0; i < 60000; i++)
		strbuf_addf(&json, "%s\"brand %d\"", i ? "," : "", i);
	strbuf_addstr(&json, "], \"specs\": {\"a\": 1}}");
	make(strbuf_str(&json), &r);
	assert_int_equal(r.n_data, SEARCH_DATA_MAX);
	assert_int_equal(search_record_write(collection, &r, &b, NULL), 0);
	check_valid(strbuf_slice(&b));
	strbuf_done(&json);
	strbuf_done(&b);
}

static void a_record_that_is_too_large_is_told(void **state)
{
	struct strbuf json = STRBUF_INIT(0), b = STRBUF_INIT(2 * SEARCH_RECORD_MAX);
	struct search_record r;
	struct err err = {0};

	(void)state;
	strbuf_addstr(&json, "{\"brand\": [");
	for (int i = 0; i < 40; i++) {
		strbuf_addf(&json, "%s\"%d", i ? "," : "", i);
		for (int k = 0; k < 30000; k++)
			strbuf_addch(&json, 'x');
		strbuf_addch(&json, '"');
	}
	strbuf_addstr(&json, "]}");
	make(strbuf_str(&json), &r);
	assert_int_equal(search_record_write(collection, &r, &b, &err), -ERR_LIMIT);
	assert_true(err.message[0]);
	strbuf_done(&json);
	strbuf_done(&b);
}

static void texts_are_always_utf_8(void **state)
{
	static const char bad[] = "a\xFF\xC3(\xED\xA0\x80z";
	struct strbuf name = STRBUF_INIT(0);
	struct search_record r;
	bson_t b = BSON_INITIALIZER, child;

	(void)state;
	strbuf_addch(&name, 'x'); /* so that the limit is inside of a character */
	while (name.len < 70000)
		strbuf_addstr(&name, "\xC3\xA9");
	BSON_APPEND_UTF8(&b, "about", bad);
	BSON_APPEND_UTF8(&b, "name", name.data);
	BSON_APPEND_UTF8(&b, "brand", bad);
	BSON_APPEND_DOCUMENT_BEGIN(&b, "specs", &child);
	BSON_APPEND_UTF8(&child, bad, bad);
	bson_append_document_end(&b, &child);
	search_record_make(collection, &b, &arena, &r);
	assert_true(utf8_is_valid(r.title.data, r.title.len) && r.title.len > 60000);
	for (size_t i = 0; i < 2; i++)
		assert_true(utf8_is_valid(r.texts[i].data, r.texts[i].len));
	for (size_t i = 0; i < r.n_data; i++) {
		assert_true(utf8_is_valid(r.data[i].text.data, r.data[i].text.len));
		assert_true(utf8_is_valid(r.data[i].member.data, r.data[i].member.len));
	}
	bson_destroy(&b);
	strbuf_done(&name);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, read_rules, forget)
	const struct CMUnitTest tests[] = {
	    TEST(values_are_what_the_rules_say),
	    TEST(what_is_no_value_is_left_out),
	    TEST(what_is_written_is_read_as_the_same),
	    TEST(each_cut_is_refused),
	    TEST(each_flipped_bit_is_refused_or_harmless),
	    TEST(values_of_another_type_are_refused),
	    TEST(records_of_other_rules_are_refused),
	    TEST(values_beyond_the_limit_are_left_out),
	    TEST(a_record_that_is_too_large_is_told),
	    TEST(texts_are_always_utf_8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
