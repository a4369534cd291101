/* What comes from a plan: SQL, triggers, paths, validator, hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mapping/mapping.h"

#include <stdlib.h>

#include "base/banned.h"

static const char yaml[] =
    "collection: people\n"
    "table: customer\n"
    "key: id\n"
    "queue: people_queue\n"
    "fields:\n"
    "  id: id\n"
    "  name: {column: name, pii: name}\n"
    "  born: born\n"
    "  figures:\n"
    "    aggregate: purchase\n"
    "    on: {customer: id}\n"
    "    where: {note: {'!=': \"it's\"}}\n"
    "    values: {n: count, last: {max: at}}\n"
    "  purchases:\n"
    "    array: purchase\n"
    "    on: {customer: id}\n"
    "    order: [at desc]\n"
    "    limit: 3\n"
    "    fields:\n"
    "      at: at\n"
    "      lines:\n"
    "        array: [line, old_line]\n"
    "        on: {purchase: id}\n"
    "        fields:\n"
    "          price: price\n"
    "          path: {path: kind, on: {id: product}, parent: up, field: name}\n"
    "mongodb: {likes: 0, tags: [a, '1', {b: true}], x: 1.5, n: null}\n"
    "indexes: [{key: {name: 1, tags: -1}, unique: true}]\n";

static const char land_yaml[] = "collection: lands\ntable: land\nkey: code\nqueue: land_queue\n"
				"on_leave: keep\ntarget: none\n"
				"fields:\n  towns: {array: town, on: {land: code}, value: name}\n";

static struct mapping *bound(const char *text)
{
	struct mapping *m = NULL;
	struct err err = {0};

	if (mapping_parse("m.yaml", text, strlen(text), &m, &err) < 0 ||
	    mapping_bind(m, fixture_schema(), &err) < 0)
		fail_msg("%s (%s)", err.message, err.hint);
	return m;
}

static const char *sql_of(const struct mapping *m, const char *purpose)
{
	const struct mapping_statement *s;
	size_t n = mapping_statements(m, &s);

	for (size_t i = 0; i < n; i++) {
		if (cstr_equal(s[i].purpose, purpose))
			return s[i].sql;
	}
	fail_msg("no statement to %s", purpose);
	return NULL;
}

static const struct mapping_trigger *trigger_of(const struct mapping *m, const char *name)
{
	const struct mapping_trigger *t;
	size_t n = mapping_triggers(m, &t);

	for (size_t i = 0; i < n; i++) {
		if (cstr_equal(t[i].name, name))
			return &t[i];
	}
	fail_msg("no trigger %s", name);
	return NULL;
}

static void levels_are_read_in_one_query_each(void **state)
{
	struct mapping *m = bound(yaml);

	(void)state;
	assert_string_equal(
	    sql_of(m, "read people"),
	    "SELECT c.`id`, c.`id`, c.`name`, CAST(c.`born` AS CHAR) FROM `customer` c"
	    " WHERE c.`id` IN (?)");
	assert_string_equal(
	    sql_of(m, "read figures"),
	    "SELECT c.`customer`, COUNT(*), CAST(MAX(c.`at`) AS CHAR) FROM `purchase` c WHERE"
	    " c.`customer` IN (?) AND c.`note` <> 'it''s' GROUP BY c.`customer`");
	assert_string_equal(
	    sql_of(m, "read purchases"),
	    "SELECT l, s0, s1 FROM (SELECT c.`customer` AS l, c.`id` AS s0, CAST(c.`at` AS CHAR) "
	    "AS s1,"
	    " ROW_NUMBER() OVER (PARTITION BY c.`customer` ORDER BY c.`at` DESC, c.`id`) AS n FROM"
	    " `purchase` c WHERE c.`customer` IN (?)) w WHERE n <= 3 ORDER BY n");
	assert_string_equal(
	    sql_of(m, "read purchases.lines"),
	    "SELECT u.`purchase`, u.`product`, u.`price` FROM (SELECT 0 AS `#t`, c.`purchase`,"
	    " c.`product`, c.`price`, c.`id` AS `#p0` FROM `line` c WHERE c.`purchase` IN (?) "
	    "UNION ALL"
	    " SELECT 1 AS `#t`, c.`purchase`, c.`product`, c.`price`, c.`id` AS `#p0` FROM "
	    "`old_line` c"
	    " WHERE c.`purchase` IN (?)) u ORDER BY u.`#t`, u.`#p0`");
	mapping_free(m);
}

static void joins_of_texts_are_left_to_the_server(void **state)
{
	struct mapping *m = bound(land_yaml);

	(void)state;
	assert_string_equal(sql_of(m, "read towns"),
			    "SELECT k.i, c.`name` FROM JSON_TABLE(?, '$[*]' COLUMNS (i FOR "
			    "ORDINALITY, v0 VARCHAR(1024)"
			    " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PATH '$[0]')) k "
			    "STRAIGHT_JOIN `town` c ON"
			    " c.`land` = k.v0 WHERE TRUE ORDER BY c.`id`");
	assert_string_equal(
	    sql_of(m, "expand town.land > land.code"),
	    "SELECT CAST(CONVERT(p1.`code` USING utf8mb4) AS BINARY) FROM `land` p1 WHERE"
	    " p1.`code` = CONVERT(? USING utf8mb4) COLLATE utf8mb4_general_ci AND"
	    " p1.`code` > CONVERT(? USING utf8mb4) COLLATE utf8mb4_general_ci GROUP BY"
	    " p1.`code` ORDER BY p1.`code` LIMIT ?");
	assert_true(mapping_keeps_on_leave(m));
	assert_false(mapping_has_target(m));
	mapping_free(m);
}

/* Between the two stand the other 63 parameters. */
static void assert_many(const char *sql, const char *before, const char *after)
{
	size_t from = strlen(before), len = strlen(sql);

	assert_memory_equal(sql, before, from);
	assert_string_equal(sql + len - strlen(after), after);
	assert_int_equal(len - from - strlen(after), 3 * (MAPPING_EXPAND_MANY - 1));
}

static void ways_over_several_tables_and_trees_are_all_there(void **state)
{
	struct mapping *m = bound(yaml);
	const struct mapping_path *p;

	(void)state;
	assert_int_equal(mapping_paths(m, &p), 4);
	assert_string_equal(p[0].description, "line.purchase > purchase.customer");
	assert_string_equal(p[1].description, "old_line.purchase > purchase.customer");
	assert_string_equal(p[2].description,
			    "kind.id (tree by up) > line.purchase > purchase.customer");
	assert_string_equal(p[3].description,
			    "kind.id (tree by up) > old_line.purchase > purchase.customer");
	assert_string_equal(
	    sql_of(m, p[0].description[0] ? "expand line.purchase > purchase.customer" : ""),
	    "SELECT CAST(p1.`customer` AS BINARY) FROM `purchase` p1 WHERE p1.`id` = ? AND"
	    " p1.`customer` IS NOT NULL AND p1.`customer` > ? GROUP BY p1.`customer` ORDER BY"
	    " p1.`customer` LIMIT ?");
	assert_many(sql_of(m, "expand many line.purchase > purchase.customer"),
		    "SELECT DISTINCT CAST(p1.`customer` AS BINARY) FROM `purchase` p1 WHERE p1.`id`"
		    " IN (?",
		    ") AND p1.`customer` IS NOT NULL LIMIT ?");
	assert_string_equal(
	    sql_of(m, "expand kind.id (tree by up) > line.purchase > purchase.customer"),
	    "WITH RECURSIVE t (v) AS (SELECT CAST(? AS UNSIGNED) UNION SELECT c.`id` FROM t"
	    " STRAIGHT_JOIN `kind` c ON c.`up` = t.v) SELECT CAST(p2.`customer` AS BINARY) FROM t"
	    " STRAIGHT_JOIN `line` p1 ON p1.`product` = t.v STRAIGHT_JOIN `purchase` p2 ON p2.`id` "
	    "="
	    " p1.`purchase` WHERE TRUE AND p2.`customer` IS NOT NULL AND p2.`customer` > ? GROUP BY"
	    " p2.`customer` ORDER BY p2.`customer` LIMIT ?");
	mapping_free(m);
}

static void triggers_queue_both_sides_of_what_this_mapping_uses(void **state)
{
	struct mapping *m = bound(yaml);
	const struct mapping_trigger *t = trigger_of(m, "aethermart_people_customer_au");

	(void)state;
	assert_string_equal(
	    t->body,
	    "BEGIN\n"
	    "IF NOT (BINARY OLD.`id` <=> BINARY NEW.`id` AND BINARY OLD.`name` <=> BINARY "
	    "NEW.`name`"
	    " AND BINARY OLD.`born` <=> BINARY NEW.`born`) THEN\n"
	    "INSERT INTO `people_queue` (`path`, `key`, queued_at) VALUES (0,"
	    " CAST(NEW.`id` AS BINARY), SYSDATE(6));\nEND IF;\n"
	    "IF NOT (BINARY OLD.`id` <=> BINARY NEW.`id`) THEN\n"
	    "INSERT INTO `people_queue` (`path`, `key`, queued_at) VALUES (0,"
	    " CAST(OLD.`id` AS BINARY), SYSDATE(6));\nEND IF;\n"
	    "IF NOT (BINARY OLD.`id` <=> BINARY NEW.`id`) THEN\n"
	    "INSERT INTO sync_key_change (`queue`, old_key, new_key, changed_at) VALUES"
	    " ('people_queue', CAST(OLD.`id` AS BINARY), CAST(NEW.`id` AS BINARY), SYSDATE(6));\n"
	    "END IF;\nEND");
	t = trigger_of(m, "aethermart_people_purchase_ad");
	assert_string_equal(t->event, "DELETE");
	assert_string_equal(t->body,
			    "BEGIN\nIF OLD.`customer` IS NOT NULL THEN\n"
			    "INSERT INTO `people_queue` (`path`, `key`, queued_at) VALUES (0,"
			    " CAST(OLD.`customer` AS BINARY), SYSDATE(6));\nEND IF;\nEND");
	t = trigger_of(m, "aethermart_people_kind_ai");
	assert_ptr_equal(strstr(t->body, "INSERT INTO"), t->body + strlen("BEGIN\n"));
	assert_null(strstr(t->body + strlen("BEGIN\nINSERT INTO"), "INSERT INTO"));
	assert_non_null(strstr(t->body, "SYSDATE(6)),\n("));
	t = trigger_of(m, "aethermart_people_line_au");
	assert_null(strstr(t->body, "weight"));
	assert_non_null(strstr(t->body, "BINARY OLD.`price` <=> BINARY NEW.`price`"));
	mapping_free(m);
}

static void long_names_of_triggers_are_cut_and_told_apart(void **state)
{
	static const char text[] =
	    "collection: a_collection_whose_name_is_rather_long_for_what_it_is\ntable: customer\n"
	    "key: id\nqueue: q\nfields: {id: id, l: {array: purchase, on: {customer: id}, value: "
	    "at}}\n";
	struct mapping *m = bound(text);
	const struct mapping_trigger *t;
	size_t n = mapping_triggers(m, &t);

	(void)state;
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(t[i].name) <= 64);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(t[i].name, t[j].name);
	}
	mapping_free(m);
}

static void the_hash_is_of_the_plan_and_not_of_the_file(void **state)
{
	static const char a[] =
	    "collection: c\ntable: customer\nkey: id\nqueue: q\nfields: {n: name}\n";
	static const char b[] = "# other\nqueue: q\ncollection: c\nkey: [id]\ntable: customer\n"
				"fields:\n  n: {column: name}\n";
	static const char c[] =
	    "collection: c\ntable: customer\nkey: id\nqueue: q\nfields: {n: born}\n";
	struct mapping *x = bound(a), *y = bound(b), *z = bound(c);

	(void)state;
	assert_string_equal(mapping_hash(x), mapping_hash(y));
	assert_string_not_equal(mapping_hash(x), mapping_hash(z));
	assert_int_equal(strlen(mapping_hash(x)), 64);
	mapping_free(x);
	mapping_free(y);
	mapping_free(z);
}

static void assert_json(const bson_t *doc, const char *wanted)
{
	char *json = bson_as_canonical_extended_json(doc, NULL);

	assert_string_equal(json, wanted);
	bson_free(json);
}

static void what_mongodb_gets_besides_documents(void **state)
{
	struct mapping *m = bound(yaml), *land = bound(land_yaml);
	const char *const *owned = mapping_owned_fields(m);

	(void)state;
	assert_string_equal(owned[0], "id");
	assert_string_equal(owned[4], "purchases");
	assert_null(owned[5]);
	assert_json(
	    mapping_initial_fields(m),
	    "{ \"likes\" : { \"$numberLong\" : \"0\" }, \"tags\" : [ \"a\", \"1\", { \"b\" : true }"
	    " ], \"x\" : { \"$numberDouble\" : \"1.5\" }, \"n\" : null }");
	assert_json(
	    mapping_indexes(m),
	    "{ \"0\" : { \"key\" : { \"name\" : { \"$numberInt\" : \"1\" }, \"tags\" : {"
	    " \"$numberInt\" : \"-1\" } }, \"name\" : \"name_1_tags_-1\", \"unique\" : true } }");
	assert_json(
	    mapping_validator(land),
	    "{ \"$jsonSchema\" : { \"bsonType\" : \"object\", \"properties\" : { \"towns\" : {"
	    " \"bsonType\" : \"array\", \"items\" : { \"bsonType\" : [ \"string\", \"null\" ] } }"
	    " } } }");
	mapping_free(m);
	mapping_free(land);
}

static void fan_out_is_estimated_along_the_way(void **state)
{
	struct mapping *m = bound(yaml);
	const struct mapping_fanout *f;
	size_t n = mapping_fanouts(m, &f), names = 0;

	(void)state;
	for (size_t i = 0; i < n; i++)
		names += cstr_equal(f[i].table, "kind") && cstr_equal(f[i].column, "name");
	assert_int_equal(names, 2);
	mapping_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(levels_are_read_in_one_query_each),
	    cmocka_unit_test(joins_of_texts_are_left_to_the_server),
	    cmocka_unit_test(ways_over_several_tables_and_trees_are_all_there),
	    cmocka_unit_test(triggers_queue_both_sides_of_what_this_mapping_uses),
	    cmocka_unit_test(long_names_of_triggers_are_cut_and_told_apart),
	    cmocka_unit_test(the_hash_is_of_the_plan_and_not_of_the_file),
	    cmocka_unit_test(what_mongodb_gets_besides_documents),
	    cmocka_unit_test(fan_out_is_estimated_along_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
