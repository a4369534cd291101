/*
 * The plan against a real server: types, collations, composite keys, several tables, triggers,
 * expansion. Skipped unless AETHERMART_TEST_MARIADB_SOCKET names the socket of a server on which
 * AETHERMART_TEST_MARIADB_USER (root when unset) may make a database without password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapping/mapping.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_mapping_test"

static const char tables[] =
    "DROP DATABASE IF EXISTS " DATABASE ";\n"
    "CREATE DATABASE " DATABASE " CHARACTER SET utf8mb4;\n"
    "USE " DATABASE ";\n"
    "CREATE TABLE land (code VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, name VARCHAR(50),"
    " note TEXT);\n"
    "CREATE TABLE town (id INT ZEROFILL AUTO_INCREMENT PRIMARY KEY,"
    " land VARCHAR(20) COLLATE utf8mb4_general_ci NULL, name VARCHAR(50), pop INT, KEY(land));\n"
    "CREATE TABLE old_town (id INT ZEROFILL AUTO_INCREMENT, land VARCHAR(20) COLLATE"
    " utf8mb4_general_ci NULL, name VARCHAR(50), pop INT, gone DATE NOT NULL DEFAULT '2001-01-01',"
    " PRIMARY KEY (id, gone), KEY(land));\n" /* keys of different lengths, as a partition asks for
					      */
    "CREATE TABLE street (id INT PRIMARY KEY, town INT, name VARCHAR(40), KEY(town));\n"
    "CREATE TABLE node (id INT PRIMARY KEY, up INT, label VARCHAR(20), KEY(up));\n"
    "CREATE TABLE odd (a BIGINT UNSIGNED, b VARCHAR(20) COLLATE utf8mb4_bin, c BINARY(2), ch "
    "CHAR(10),"
    " en ENUM('x','it''s'), se SET('p','q','r'), bi BIT(12), ye YEAR, ti TIME(2), js JSON,"
    " ts TIMESTAMP(6) NULL, fl FLOAT, dc DECIMAL(30,10), zf INT(6) ZEROFILL, t8 TINYINT(1), nd INT,"
    " PRIMARY KEY (a, b, c), KEY (nd));\n"
    "CREATE TABLE child (id INT PRIMARY KEY, a BIGINT UNSIGNED, b VARCHAR(20) COLLATE utf8mb4_bin,"
    " c BINARY(2), v DECIMAL(9,2), KEY (a, b, c));\n"
    "CREATE TABLE land_queue (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, `path` INT UNSIGNED,"
    " `key` VARBINARY(1024), queued_at TIMESTAMP(6));\n"
    "CREATE TABLE odd_queue LIKE land_queue;\n"
    "CREATE TABLE sync_key_change (`queue` VARCHAR(64), old_key VARBINARY(1024),"
    " new_key VARBINARY(1024), changed_at TIMESTAMP(6));\n"
    "INSERT INTO land VALUES ('abc','Alpha',NULL),('DE ','Germany',NULL),('per%:cent','P',NULL);\n"
    "INSERT INTO town (land,name,pop) VALUES ('ABC','T1',10),('abc ','T2',20),('de','T3',NULL);\n"
    "INSERT INTO old_town (land,name,pop) VALUES ('Abc','O1',7);\n"
    "INSERT INTO street VALUES (1,1,'s1'),(2,1,'s2');\n"
    "INSERT INTO node VALUES (1,NULL,'root'),(2,1,'a'),(3,2,'b'),(10,11,'c1'),(11,10,'c2');\n"
    "INSERT INTO odd VALUES (18446744073709551615,'k:%1',x'01FF','padded','it''s','p,r',"
    "b'101010101010',1999,'-12:34:56.78','{\"a\":[1,2.5]}','2024-05-06 07:08:09.123999',16777216,"
    "'12345678901234567890.1234567890',42,1,3),\n"
    "(1,'B ',x'0000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),\n"
    "(2,'loop',x'0000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,10);\n"
    "INSERT INTO child VALUES (1,18446744073709551615,'k:%1',x'01FF',1.10),"
    "(2,18446744073709551615,'k:%1',x'01FF',2.20),(3,1,'B',x'0000',9);\n";

static const char land_yaml[] =
    "collection: lands\ntable: land\nkey: code\nqueue: land_queue\nfields:\n"
    "  name: name\n"
    "  towns: {array: [town, old_town], on: {land: code}, order: [name], fields: {name: name}}\n"
    "  first: {array: [town, old_town], on: {land: code}, order: [name desc], limit: 2, value: "
    "name}\n"
    "  figures: {aggregate: [town, old_town], on: {land: code}, values: {n: count, p: {sum: pop},"
    " a: {avg: pop}}}\n"
    "  deep: {array: town, on: {land: code}, fields: {id: id, streets: {array: street, on: {town:"
    " id}, order: [name desc], value: name}}}\n";

static const char odd_yaml[] =
    "collection: odds\ntable: odd\nkey: [a, b, c]\nqueue: odd_queue\nfields:\n"
    "  a: a\n  b: b\n  c: c\n  ch: ch\n  en: en\n  se: se\n  bi: bi\n  ye: ye\n  ti: ti\n  js: js\n"
    "  ts: ts\n  fl: fl\n  dc: dc\n  zf: zf\n  t8: {column: t8, type: bool}\n"
    "  kids: {array: child, on: {c: c, b: b, a: a}, value: v}\n"
    "  path: {path: node, on: {id: nd}, parent: up, field: label}\n";

static struct maria *db;
static struct mapping *land, *odd;

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s (%s)", err->message, err->hint);
}

static struct mapping *bound(const struct schema *schema, const char *yaml)
{
	struct mapping *m = NULL;
	struct err err = {0};

	ok(mapping_parse("m.yaml", yaml, strlen(yaml), &m, &err), &err);
	ok(mapping_bind(m, schema, &err), &err);
	return m;
}

static void install(const struct mapping *m)
{
	const struct mapping_trigger *t;
	size_t n = mapping_triggers(m, &t);
	struct err err = {0};

	for (size_t i = 0; i < n; i++) {
		char *body;

		ok(maria_exec(db, t[i].create_sql, &err), &err);
		ok(maria_query_text(db,
				    "SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE"
				    " TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = ?",
				    &MARIA_S(t[i].name), 1, &body, &err),
		   &err);
		assert_string_equal(body, t[i].body);
		mem_free(body);
	}
}

static int set_up(void **state)
{
	const char *user = getenv("AETHERMART_TEST_MARIADB_USER");
	struct maria_options options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					.user = user ? user : "root"};
	struct schema *schema;
	struct err err = {0};

	(void)state;
	ok(maria_open(&options, &db, &err), &err);
	ok(maria_script(db, "tables", tables, &err), &err);
	ok(schema_load(db, DATABASE, &schema, &err), &err);
	land = bound(schema, land_yaml);
	odd = bound(schema, odd_yaml);
	schema_free(schema);
	install(land);
	install(odd);
	return 0;
}

static int tear_down(void **state)
{
	struct err err = {0};

	(void)state;
	ok(maria_exec(db, "DROP DATABASE " DATABASE, &err), &err);
	mapping_free(land);
	mapping_free(odd);
	maria_close(db);
	return 0;
}

static void expect(const struct mapping *m, const char *key, enum mapping_state state,
		   const char *wanted)
{
	_cleanup_(mapping_batch_done) struct mapping_batch b = MAPPING_BATCH_INIT;
	struct str k = str_from(key);
	struct err err = {0};
	char *json;

	ok(mapping_read(m, db, &k, 1, (size_t)16 << 20, &b, &err), &err);
	assert_int_equal(b.items[0].state, state);
	if (state == MAPPING_REFUSED)
		assert_string_equal(b.items[0].error->message, wanted);
	if (state != MAPPING_PRESENT)
		return;
	json = bson_as_canonical_extended_json(b.items[0].document, NULL);
	assert_string_equal(json, wanted);
	bson_free(json);
}

static void texts_join_as_their_collation_says_and_keys_are_bytes(void **state)
{
	(void)state;
	expect(land, "abc", MAPPING_PRESENT,
	       "{ \"_id\" : \"abc\", \"name\" : \"Alpha\", \"towns\" : [ { \"name\" : \"O1\" }, { "
	       "\"name\" :"
	       " \"T1\" }, { \"name\" : \"T2\" } ], \"first\" : [ \"T2\", \"T1\" ], \"figures\" : "
	       "{ \"n\" : {"
	       " \"$numberLong\" : \"3\" }, \"p\" : { \"$numberLong\" : \"37\" }, \"a\" : {"
	       " \"$numberDecimal\" : \"12.3333\" } }, \"deep\" : [ { \"id\" : { \"$numberLong\" : "
	       "\"1\" },"
	       " \"streets\" : [ \"s2\", \"s1\" ] }, { \"id\" : { \"$numberLong\" : \"2\" }, "
	       "\"streets\" : [ "
	       " ] } ] }");
	expect(land, "ABC", MAPPING_ABSENT, NULL);
	expect(land, "abc ", MAPPING_ABSENT, NULL);
	expect(land, "DE", MAPPING_ABSENT, NULL);
	expect(land, "DE ", MAPPING_PRESENT,
	       "{ \"_id\" : \"DE \", \"name\" : \"Germany\", \"towns\" : [ { \"name\" : \"T3\" } "
	       "], \"first\""
	       " : [ \"T3\" ], \"figures\" : { \"n\" : { \"$numberLong\" : \"1\" }, \"p\" : { "
	       "\"$numberLong\" :"
	       " \"0\" }, \"a\" : null }, \"deep\" : [ { \"id\" : { \"$numberLong\" : \"3\" }, "
	       "\"streets\" : [ "
	       " ] } ] }");
}

static void every_type_has_its_value(void **state)
{
	(void)state;
	expect(odd, "18446744073709551615:k%3A%251:01FF", MAPPING_PRESENT,
	       "{ \"_id\" : \"18446744073709551615:k%3A%251:01FF\", \"a\" : { \"$numberDecimal\" :"
	       " \"18446744073709551615\" }, \"b\" : \"k:%1\", \"c\" : { \"$binary\" : { "
	       "\"base64\" : \"Af8=\","
	       " \"subType\" : \"00\" } }, \"ch\" : \"padded\", \"en\" : \"it's\", \"se\" : [ "
	       "\"p\", \"r\" ],"
	       " \"bi\" : { \"$numberLong\" : \"2730\" }, \"ye\" : { \"$numberLong\" : \"1999\" }, "
	       "\"ti\" :"
	       " \"-12:34:56.78\", \"js\" : { \"a\" : [ { \"$numberLong\" : \"1\" }, { "
	       "\"$numberDouble\" :"
	       " \"2.5\" } ] }, \"ts\" : { \"$date\" : { \"$numberLong\" : \"1714979289123\" } }, "
	       "\"fl\" : {"
	       " \"$numberDouble\" : \"16777216.0\" }, \"dc\" : { \"$numberDecimal\" :"
	       " \"12345678901234567890.1234567890\" }, \"zf\" : { \"$numberLong\" : \"42\" }, "
	       "\"t8\" : true,"
	       " \"kids\" : [ { \"$numberDecimal\" : \"1.10\" }, { \"$numberDecimal\" : \"2.20\" } "
	       "], \"path\""
	       " : [ \"root\", \"a\", \"b\" ] }");
	expect(odd, "2:loop:0000", MAPPING_REFUSED,
	       "field \"path\": a tree that is deeper than 64 nodes or goes in a circle");
	expect(odd, "1:B:0000", MAPPING_ABSENT, NULL);
	expect(odd, "x", MAPPING_ABSENT, NULL);
}

/* Runs a statement; what it touches is "key key ", in the order of queue and expansion. */
static void touches(const struct mapping *m, const char *sql, const char *wanted)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct strbuf got = STRBUF_INIT(0);
	struct mapping_keys all = {0};
	uint32_t paths[100];
	_cleanup_(mem_freep) char *list =
	    mem_printf("SELECT `path`, `key` FROM %s ORDER BY id", mapping_queue(m));
	_cleanup_(mem_freep) char *empty = mem_printf("DELETE FROM %s", mapping_queue(m));
	struct maria_rows *rows;
	struct err err = {0};

	ok(maria_exec(db, empty, &err), &err);
	ok(maria_exec(db, sql, &err), &err);
	ok(maria_query(db, list, NULL, 0, &rows, &err), &err);
	while (all.len < ARRAY_LEN(paths) && maria_rows_next(rows, &err) > 0) {
		struct str k = maria_rows_str(rows, 1);

		mem_grow(&all.items, &all.cap, all.len + 1, sizeof(*all.items));
		paths[all.len] = (uint32_t)maria_rows_uint(rows, 0);
		all.items[all.len++] = arena_str(&arena, k);
	}
	maria_rows_close(rows);
	for (size_t i = 0; i < all.len; i++) {
		struct mapping_keys page = {0};
		struct str cursor = {0};

		if (paths[i] == MAPPING_PATH_ROOT) {
			strbuf_addf(&got, "%.*s|", STR_ARGS(all.items[i]));
			continue;
		}
		do {
			struct mapping_expansion what = {paths[i], all.items[i], cursor, 1};

			ok(mapping_expand(m, db, &what, &arena, &page, &cursor, &err), &err);
			for (size_t j = 0; j < page.len; j++)
				strbuf_addf(&got, "%.*s|", STR_ARGS(page.items[j]));
		} while (cursor.len);
		mapping_keys_done(&page);
	}
	assert_string_equal(strbuf_str(&got), wanted);
	strbuf_done(&got);
	mapping_keys_done(&all);
}

static void changes_find_their_documents(void **state)
{
	(void)state;
	touches(land, "UPDATE town SET land = 'de' WHERE id = 1", "DE |abc|");
	touches(land, "UPDATE town SET land = 'DE' WHERE id = 1", "DE |DE |");
	touches(land, "UPDATE town SET land = 'DE ' WHERE id = 1", "DE |DE |");
	touches(land, "UPDATE town SET land = NULL WHERE id = 1", "DE |");
	touches(land, "UPDATE town SET land = 'Abc' WHERE id = 1", "abc|");
	touches(land, "UPDATE street SET name = 'S1' WHERE id = 1", "abc|");
	touches(land, "UPDATE street SET name = 'S1' WHERE id = 1", "");
	touches(land, "UPDATE land SET note = 'unmapped'", "");
	touches(land, "UPDATE land SET code = 'ABC' WHERE code = 'abc'", "ABC|abc|");
	touches(land, "DELETE FROM street WHERE id = 2", "ABC|");
	touches(odd, "UPDATE node SET label = 'A' WHERE id = 2",
		"18446744073709551615:k%3A%251:01FF|");
	touches(odd, "UPDATE node SET label = 'C' WHERE id = 10", "2:loop:0000|");
	touches(odd, "UPDATE odd SET fl = 16777218 WHERE fl = 16777216",
		"18446744073709551615:k%3A%251:01FF|");
	touches(odd, "UPDATE odd SET b = 'k' WHERE b = 'k:%1'",
		"18446744073709551615:k:01FF|18446744073709551615:k%3A%251:01FF|");
}

/* --- many values at once ---------------------------------------------------------------------- */

static void add_once(struct mapping_keys *keys, struct str key)
{
	for (size_t i = 0; i < keys->len; i++) {
		if (str_equal(keys->items[i], key))
			return;
	}
	mem_grow(&keys->items, &keys->cap, keys->len + 1, sizeof(*keys->items));
	keys->items[keys->len++] = key;
}

/* What mapping_expand() says of each. */
static void one_by_one(const struct mapping *m, const struct mapping_expansions *what,
		       struct arena *arena, struct mapping_keys *ret)
{
	struct mapping_keys page = {0};
	struct str cursor;
	struct err err = {0};

	for (size_t i = 0; i < what->n; i++) {
		struct mapping_expansion one = {what->path, what->keys[i], {NULL, 0}, 1000};

		ok(mapping_expand(m, db, &one, arena, &page, &cursor, &err), &err);
		assert_int_equal(cursor.len, 0);
		for (size_t j = 0; j < page.len; j++)
			add_once(ret, page.items[j]);
	}
	mapping_keys_done(&page);
}

static uint32_t path_of(const struct mapping *m, const char *description)
{
	const struct mapping_path *p;
	size_t n = mapping_paths(m, &p);

	for (size_t i = 0; i < n; i++) {
		if (cstr_equal(p[i].description, description))
			return p[i].id;
	}
	fail_msg("no path %s", description);
	return 0;
}

/* Both ways find the same `n_wanted` keys. */
static void found_together(const struct mapping *m, const char *description,
			   const char *const *values, size_t n, size_t n_wanted)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct mapping_keys together = {0}, singly = {0};
	struct str keys[MAPPING_EXPAND_MANY];
	struct mapping_expansions what = {path_of(m, description), n, keys, n_wanted + 1};
	struct err err = {0};

	for (size_t i = 0; i < n; i++)
		keys[i] = str_from(values[i]);
	assert_int_equal(mapping_expand_many(m, db, &what, &arena, &together, &err), 1);
	one_by_one(m, &what, &arena, &singly);
	assert_int_equal(together.len, n_wanted);
	assert_int_equal(singly.len, n_wanted);
	for (size_t i = 0; i < together.len; i++)
		add_once(&singly, together.items[i]);
	assert_int_equal(singly.len, n_wanted);
	for (what.limit = n_wanted; what.limit > 0; what.limit /= 2) /* it may be cut off */
		assert_int_equal(mapping_expand_many(m, db, &what, &arena, &together, &err), 0);
	mapping_keys_done(&together);
	mapping_keys_done(&singly);
}

static void many_values_are_expanded_as_each_of_them(void **state)
{
	static const char *const towns[] = {
	    "1", "2", "3", "4", "999999", "-1", "abc", "007", "", "18446744073709551615", "1"};
	static const char *const lands[] = {"abc", "ABC ", "de",       "nowhere",
					    "",	   "\xff", "per%:cent"};
	static const char *const strange[] = {"x", "1.5", "", "99999999999999999999999"};

	(void)state;
	found_together(land, "street.town > town.land > land.code", towns, ARRAY_LEN(towns), 2);
	found_together(land, "street.town > town.land > land.code", towns, 1, 1);
	found_together(land, "street.town > town.land > land.code", strange, ARRAY_LEN(strange), 0);
	found_together(land, "town.land > land.code", lands, ARRAY_LEN(lands), 3);
}

static void as_many_values_as_there_may_be_are_expanded(void **state)
{
	const char *values[MAPPING_EXPAND_MANY];
	char texts[MAPPING_EXPAND_MANY][8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(texts[i], sizeof(texts[i]), "%zu", ARRAY_LEN(values) - i);
		values[i] = texts[i];
	}
	for (size_t n = 1; n <= ARRAY_LEN(values); n++)
		found_together(land, "street.town > town.land > land.code",
			       values + ARRAY_LEN(values) - n, n, n < 3 ? 1 : 2);
}

static void trees_composite_keys_and_unknown_ways_go_one_by_one(void **state)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct str keys[] = {{"1", 1}, {"2", 1}};
	struct mapping_expansions what = {.n = 2, .keys = keys, .limit = 1000};
	struct mapping_keys found = {0};
	const struct mapping_path *p;
	size_t n = mapping_paths(odd, &p);
	struct err err = {0};

	(void)state;
	assert_true(n >= 2);
	for (size_t i = 0; i < n; i++) {
		what.path = p[i].id;
		assert_int_equal(mapping_expand_many(odd, db, &what, &arena, &found, &err), 0);
	}
	what.path = 12345;
	assert_int_equal(mapping_expand_many(odd, db, &what, &arena, &found, &err), -ERR_NOT_FOUND);
	mapping_keys_done(&found);
}

static void a_key_that_changed_is_noted(void **state)
{
	struct err err = {0};
	int64_t n;

	(void)state;
	ok(maria_query_int(
	       db,
	       "SELECT COUNT(*) FROM sync_key_change WHERE `queue` = 'land_queue' AND old_key ="
	       " BINARY 'abc' AND new_key = BINARY 'ABC'",
	       NULL, 0, &n, &err),
	   &err);
	assert_int_equal(n, 1);
}

static void pages_go_through_composite_keys(void **state)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct mapping_keys page = {0};
	struct str after = {0};
	struct err err = {0};
	size_t n = 0;

	(void)state;
	for (;;) {
		ok(mapping_page(odd, db, after, 1, &arena, &page, &err), &err);
		if (!page.len)
			break;
		after = page.items[0];
		n++;
	}
	assert_int_equal(n, 3);
	mapping_keys_done(&page);
}

static void memory_is_bounded(void **state)
{
	_cleanup_(mapping_batch_done) struct mapping_batch b = MAPPING_BATCH_INIT;
	struct str keys[] = {str_from("ABC"), str_from("DE ")};
	struct err err = {0};

	(void)state;
	assert_int_equal(mapping_read(land, db, keys, 2, 100, &b, &err), -ERR_LIMIT);
	ok(mapping_read(land, db, keys, 1, 100, &b, &err), &err);
	assert_int_equal(b.items[0].state, MAPPING_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_join_as_their_collation_says_and_keys_are_bytes),
	    cmocka_unit_test(every_type_has_its_value),
	    cmocka_unit_test(many_values_are_expanded_as_each_of_them),
	    cmocka_unit_test(as_many_values_as_there_may_be_are_expanded),
	    cmocka_unit_test(trees_composite_keys_and_unknown_ways_go_one_by_one),
	    cmocka_unit_test(changes_find_their_documents),
	    cmocka_unit_test(a_key_that_changed_is_noted),
	    cmocka_unit_test(pages_go_through_composite_keys),
	    cmocka_unit_test(memory_is_bounded),
	};

	if (!getenv("AETHERMART_TEST_MARIADB_SOCKET"))
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
