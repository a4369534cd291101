/* YAML trees: positions, what is refused, hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/ydoc.h"

#include "base/banned.h"

static struct ydoc *good(const char *text)
{
	struct ydoc *doc = NULL;
	struct err err = {0};

	if (ydoc_parse("t.yaml", text, strlen(text), &doc, &err) < 0)
		fail_msg("%s", err.message);
	return doc;
}

static void refuse_bytes(const char *text, size_t len, const char *message)
{
	struct ydoc *doc = NULL;
	struct err err = {0};

	assert_int_equal(ydoc_parse("t.yaml", text, len, &doc, &err), -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, message);
	assert_null(doc);
}

static void refuse(const char *text, const char *message)
{
	refuse_bytes(text, strlen(text), message);
}

static void every_node_knows_its_place(void **state)
{
	struct ydoc *doc = good("# first\nshop:\n  names: [a, \"b\"]\n  port: 0x10\n");
	const struct ynode *shop = ynode_get(ydoc_root(doc), "shop");
	const struct ynode *names = ynode_get(shop, "names"), *port = ynode_get(shop, "port");

	(void)state;
	assert_int_equal(shop->key_line, 2);
	assert_int_equal(shop->key_column, 1);
	assert_int_equal(names->kind, YNODE_LIST);
	assert_int_equal(names->len, 2);
	assert_int_equal(names->line, 3);
	assert_int_equal(names->column, 10);
	assert_string_equal(names->children[1].text, "b");
	assert_true(names->children[1].quoted);
	assert_false(names->children[0].quoted);
	assert_null(names->children[0].key);
	assert_string_equal(port->text, "0x10");
	assert_int_equal(port->line, 4);
	assert_int_equal(port->column, 9);
	assert_null(ynode_get(shop, "absent"));
	assert_null(ynode_get(names, "a"));
	ydoc_free(doc);
}

static void an_empty_file_is_an_empty_map(void **state)
{
	static const char *const texts[] = {
	    "", "\n", "# only a comment\n", "---\n", "---\n...\n", "\xef\xbb\xbf", "~\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ydoc *doc = good(texts[i]);

		assert_int_equal(ydoc_root(doc)->kind, YNODE_MAP);
		assert_int_equal(ydoc_root(doc)->len, 0);
		ydoc_free(doc);
	}
}

static void a_byte_order_mark_does_not_move_columns(void **state)
{
	struct ydoc *doc = good("\xef\xbb\xbfk: v\n");

	(void)state;
	assert_int_equal(ydoc_root(doc)->children[0].key_column, 1);
	ydoc_free(doc);
}

static void null_is_only_what_is_not_quoted(void **state)
{
	struct ydoc *doc = good("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: NULLS\n");

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(ynode_is_null(&ydoc_root(doc)->children[i]));
	for (size_t i = 3; i < 6; i++)
		assert_false(ynode_is_null(&ydoc_root(doc)->children[i]));
	ydoc_free(doc);
}

static void what_yaml_offers_beyond_trees_is_refused(void **state)
{
	(void)state;
	refuse("a: &x 1\n", "t.yaml:1:4: anchors (\"&x\") are not allowed here");
	refuse("a: &x [1]\n", "t.yaml:1:4: anchors (\"&x\") are not allowed here");
	refuse("a: 1\nb: *x\n",
	       "t.yaml:2:4: aliases (\"*\") are not allowed here: repeat the value");
	refuse("*x : 1\n", "t.yaml:1:1: aliases (\"*\") are not allowed here: repeat the value");
	refuse("a: !!int 1\n",
	       "t.yaml:1:4: tags (\"!\") are not allowed here: write the plain value");
	refuse("!!map {a: 1}\n",
	       "t.yaml:1:1: tags (\"!\") are not allowed here: write the plain value");
	refuse("a: 1\n---\nb: 2\n",
	       "t.yaml:2:1: a second document starts here; only one is allowed in a file");
	refuse("? [a]\n: 1\n", "t.yaml:1:3: a key must be a text");
	refuse("\"\": 1\n", "t.yaml:1:1: a key is empty");
}

static void a_key_stands_once(void **state)
{
	(void)state;
	refuse("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
	       "t.yaml:5:3: the key \"c\" stands here a second time (first: line 3)");
	refuse("{a: 1, 'a': 2}",
	       "t.yaml:1:8: the key \"a\" stands here a second time (first: line 1)");
}

static void bytes_that_are_no_text_are_named_with_their_place(void **state)
{
	(void)state;
	refuse_bytes("a: 1\nb\0: 2", 10, "t.yaml:2:2: a NUL byte stands here");
	refuse("a: \"x\\0y\"", "t.yaml:1:4: a text holds a NUL character");
	refuse("a: b\n\xc3\xa9: \xff\n", "t.yaml:2:4: the text is not UTF-8 from here on");
	refuse("\xff\xfe"
	       "a",
	       "t.yaml:1:1: the text is not UTF-8 from here on");
	refuse("a: \xc3", "t.yaml:1:4: the text is not UTF-8 from here on");
	refuse("a: 1\nb: \x01\n", "t.yaml:2:4: a control character stands here");
}

static void broken_yaml_is_named_with_its_place(void **state)
{
	static const char *const texts[] = {"a: [1\n",		"a: 'x\n",  "a: b: c\n",
					    "- a\nb: c\n",	"\ta: 1\n", "a: \"\\q\"\n",
					    "a: \"\\ud800\"\n", "%FOO\n",   "a: @b\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ydoc *doc = NULL;
		struct err err = {0};

		assert_int_equal(ydoc_parse("t.yaml", texts[i], strlen(texts[i]), &doc, &err),
				 -ERR_INVALID_ARGUMENT);
		assert_memory_equal(err.message, "t.yaml:", 7);
	}
}

static char *repeat(const char *text, size_t n)
{
	struct strbuf b = STRBUF_INIT(16 << 20);

	for (size_t i = 0; i < n; i++)
		strbuf_addstr(&b, text);
	return strbuf_take(&b);
}

static void nesting_is_limited(void **state)
{
	static const char *const opening[] = {"[", "{a: ", "- ", "? "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opening); i++) {
		char *text = repeat(opening[i], 100000);
		struct ydoc *doc = NULL;
		struct err err = {0};

		assert_int_equal(ydoc_parse("t.yaml", text, strlen(text), &doc, &err),
				 -ERR_INVALID_ARGUMENT);
		assert_null(doc);
		mem_free(text);
	}
	refuse("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	       "t.yaml:1:33: values are nested more than 32 levels deep");
	ydoc_free(good("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
}

static void a_file_is_limited_in_bytes_and_values(void **state)
{
	char *text = repeat("x", YDOC_FILE_MAX + 1);
	struct ydoc *doc = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(ydoc_parse("t.yaml", text, YDOC_FILE_MAX + 1, &doc, &err), -ERR_LIMIT);
	assert_int_equal(ydoc_parse("t.yaml", text, YDOC_FILE_MAX, &doc, &err), 0);
	assert_int_equal(strlen(ydoc_root(doc)->text), YDOC_FILE_MAX);
	doc = ydoc_free(doc);
	mem_free(text);
	text = repeat("-\n", YDOC_NODES_MAX + 10);
	assert_int_equal(ydoc_parse("t.yaml", text, strlen(text), &doc, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "more than 262144 values"));
	mem_free(text);
	assert_int_equal(ydoc_load("/dev/zero", &doc, &err), -ERR_LIMIT);
	assert_int_equal(ydoc_load("/nowhere/x.yaml", &doc, &err), -ERR_NOT_FOUND);
	assert_int_equal(ydoc_load("/tmp", &doc, &err), -ERR_IO);
}

static void many_keys_are_read_in_time(void **state)
{
	struct strbuf b = STRBUF_INIT(4 << 20);
	struct ydoc *doc;

	(void)state;
	for (int i = 0; i < 50000; i++)
		strbuf_addf(&b, "key%d: 1\n", i);
	doc = good(strbuf_str(&b));
	assert_int_equal(ydoc_root(doc)->len, 50000);
	ydoc_free(doc);
	strbuf_done(&b);
}

static void unknown_keys_are_suggested(void **state)
{
	static const char *const allowed[] = {"collection", "root", "key", NULL};
	struct ydoc *doc = good("root: a\ncolection: b\n");
	struct err err = {0};

	(void)state;
	assert_int_equal(ynode_check_keys(ydoc_root(doc), "a mapping", allowed, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, "t.yaml:2:1: \"colection\" is not a key of a mapping; did "
					 "you mean \"collection\"?");
	assert_string_equal(err.hint, "allowed are collection, root, key");
	ydoc_free(doc);
	doc = good("root: [a]\n");
	assert_int_equal(ynode_check_keys(ydoc_root(doc), "a mapping", allowed, &err), 0);
	assert_int_equal(ynode_check_keys(&ydoc_root(doc)->children[0], "a field", allowed, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message,
			    "t.yaml:1:7: a field must be a map of keys and values, found a list");
	ydoc_free(doc);
}

static void scalars_are_typed_by_who_asks(void **state)
{
	struct ydoc *doc = good("- 12\n- yes\n- 2.5\n- [1]\n- ''\n- \"\\e[31mred\"\n-\n");
	const struct ynode *n = ydoc_root(doc)->children;
	struct err err = {0};
	const char *text;
	int64_t v = 0;
	bool b = false;

	(void)state;
	assert_int_equal(ynode_int(&n[0], 0, 20, &v, &err), 0);
	assert_int_equal(v, 12);
	assert_true(ynode_int(&n[0], 0, 11, &v, &err) < 0);
	assert_string_equal(err.message,
			    "t.yaml:1:3: expected a whole number from 0 to 11, found \"12\"");
	assert_int_equal(ynode_bool(&n[1], &b, &err), 0);
	assert_true(b);
	assert_true(ynode_int(&n[2], 0, 20, &v, &err) < 0);
	assert_true(ynode_bool(&n[3], &b, &err) < 0);
	assert_string_equal(err.message, "t.yaml:4:3: expected true or false, found a list");
	assert_int_equal(ynode_text(&n[4], &text, &err), 0);
	assert_string_equal(text, "");
	assert_true(ynode_int(&n[5], 0, 20, &v, &err) < 0);
	assert_non_null(strstr(err.message, "found \"?[31mred\""));
	assert_true(ynode_text(&n[6], &text, &err) < 0);
	assert_string_equal(err.message, "t.yaml:7:2: expected a text, found nothing");
	ydoc_free(doc);
}

static void a_long_text_is_shown_in_part(void **state)
{
	char *ascii = repeat("x", 500), *euro = repeat("\xe2\x82\xac", 500),
	     *broken = repeat("\x80", 500);
	char shown[TEXT_SHOWN_SIZE];

	(void)state;
	assert_true(strlen(text_shown(ascii, shown)) < TEXT_SHOWN_SIZE);
	assert_true(strlen(text_shown(euro, shown)) < TEXT_SHOWN_SIZE);
	assert_true(utf8_is_valid(shown, strlen(shown)));
	assert_true(strlen(text_shown(broken, shown)) < TEXT_SHOWN_SIZE);
	assert_string_equal(text_shown("ab", shown), "\"ab\"");
	mem_free(ascii);
	mem_free(euro);
	mem_free(broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_node_knows_its_place),
	    cmocka_unit_test(an_empty_file_is_an_empty_map),
	    cmocka_unit_test(a_byte_order_mark_does_not_move_columns),
	    cmocka_unit_test(null_is_only_what_is_not_quoted),
	    cmocka_unit_test(what_yaml_offers_beyond_trees_is_refused),
	    cmocka_unit_test(a_key_stands_once),
	    cmocka_unit_test(bytes_that_are_no_text_are_named_with_their_place),
	    cmocka_unit_test(broken_yaml_is_named_with_its_place),
	    cmocka_unit_test(nesting_is_limited),
	    cmocka_unit_test(a_file_is_limited_in_bytes_and_values),
	    cmocka_unit_test(many_keys_are_read_in_time),
	    cmocka_unit_test(unknown_keys_are_suggested),
	    cmocka_unit_test(scalars_are_typed_by_who_asks),
	    cmocka_unit_test(a_long_text_is_shown_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
