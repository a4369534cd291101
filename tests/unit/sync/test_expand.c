/*
 * Expansions of a claim on a real MariaDB. Skipped unless AETHERMART_TEST_MARIADB_SOCKET names a
 * server's socket; see test_live.c of the mapping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"
#include "sync/sync_int.h"

#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_expand_test"

/* Customer 1 has 1,000 purchases, 2 to 700 have one each, number 2000 + their own. Product 1 is on
 * a line of all of those, product 2 on those of ten, product 3 on none. */
static const char tables[] =
    "DROP DATABASE IF EXISTS " DATABASE "; CREATE DATABASE " DATABASE " CHARACTER SET utf8mb4;\n"
    "USE " DATABASE ";\n"
    "CREATE TABLE customer (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(50));\n"
    "CREATE TABLE purchase (id BIGINT UNSIGNED PRIMARY KEY, customer BIGINT UNSIGNED,"
    " KEY (customer));\n"
    "CREATE TABLE line (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, purchase BIGINT UNSIGNED,"
    " product BIGINT UNSIGNED, KEY (purchase), KEY (product));\n"
    "CREATE TABLE product (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(50));\n"
    "INSERT INTO purchase SELECT seq, 1 FROM seq_1_to_1000;\n"
    "INSERT INTO purchase SELECT 2000 + seq, seq FROM seq_2_to_700;\n"
    "INSERT INTO line (purchase, product) SELECT 2000 + seq, 1 FROM seq_2_to_700;\n"
    "INSERT INTO line (purchase, product) SELECT 2000 + seq, 2 FROM seq_11_to_20;\n"
    "CREATE TABLE buyers_queue (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
    " path INT UNSIGNED NOT NULL, `key` VARBINARY(1024) NOT NULL,"
    " `cursor` VARBINARY(1024) NOT NULL DEFAULT '', queued_at TIMESTAMP(6) NOT NULL);\n";

static const char yaml[] =
    "collection: buyers\ntable: customer\nkey: id\nqueue: buyers_queue\nfields:\n"
    "  purchases:\n    array: purchase\n    on: {customer: id}\n    fields:\n"
    "      lines: {array: line, on: {purchase: id}, fields: {product: {object: product,"
    " on: {id: product}, fields: {name: name}}}}\n";

#define OF_LINES   "line.purchase > purchase.customer"
#define OF_PRODUCT "product.id > line.purchase > purchase.customer"

static char holder[] = "a";
static struct maria *db;
static struct mapping *buyers;
static struct sync_shared shared;
static struct sync_collection collection;
static struct sync_worker worker;
static struct sync_queue queue;

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s (%s)", err->message, err->hint);
}

_printf_(1, 2) static void sql(const char *format, ...)
{
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	va_list ap;

	va_start(ap, format);
	strbuf_vaddf(&b, format, ap);
	va_end(ap);
	ok(maria_exec(db, strbuf_str(&b), &err), &err);
	strbuf_done(&b);
}

static int64_t number(const char *text)
{
	struct err err = {0};
	int64_t n;

	ok(maria_query_int(db, text, NULL, 0, &n, &err), &err);
	return n;
}

static unsigned path_of(const char *description)
{
	const struct mapping_path *p;
	size_t n = mapping_paths(buyers, &p);

	for (size_t i = 0; i < n; i++) {
		if (cstr_equal(p[i].description, description))
			return p[i].id;
	}
	fail_msg("no path %s", description);
	return 0;
}

static int set_up(void **state)
{
	struct maria_options options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					.user = "root"};
	struct schema *schema;
	struct err err = {0};

	(void)state;
	ok(maria_open(&options, &db, &err), &err);
	ok(maria_script(db, "tables", tables, &err), &err);
	ok(maria_script(db, "sync", sync_sql_010_tables, &err), &err);
	ok(sync_session_init(db, &err), &err);
	ok(schema_load(db, DATABASE, &schema, &err), &err);
	buyers = people_mapping(yaml, schema);
	schema_free(schema);
	sql("UPDATE sync_lease SET holder = 'a', term = 5, expires_at = '2037-01-01'");
	sql("INSERT INTO sync_collection (collection, queue, mapping_hash, owned_fields,"
	    " retired_fields) VALUES ('buyers', 'buyers_queue', '%s', '[]', '[]')",
	    mapping_hash(buyers));
	shared.holder = holder;
	shared.term = 5;
	pthread_mutex_init(&shared.mutex, NULL);
	collection.mapping = buyers;
	worker.shared = &shared;
	worker.db = db;
	sync_queue_init(&queue, buyers, 0, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sql("DROP DATABASE " DATABASE);
	sync_queue_done(&queue);
	sync_claim_done(&worker.claim);
	arena_done(&worker.arena);
	mapping_free(buyers);
	maria_close(db);
	return 0;
}

/* Claims all and expands it; returns how many expansions there were. */
static size_t expand(void)
{
	struct err err = {0};
	size_t done = 0;

	arena_clear(&worker.arena);
	ok(sync_queue_claim(&queue, db, SYNC_CLAIM_FULL, 4000, &worker.claim, &err), &err);
	ok(sync_expand_all(&worker, &collection, &queue, &done, &err), &err);
	return done;
}

static void queue_keys(const char *description, const char *keys_sql)
{
	sql("INSERT INTO buyers_queue (path, `key`, queued_at) SELECT %u, seq, '2026-11-23' +"
	    " INTERVAL seq SECOND FROM %s",
	    path_of(description), keys_sql);
}

static int64_t executed(void)
{
	return number("SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE"
		      " VARIABLE_NAME = 'COM_STMT_EXECUTE'");
}

static void many_orders_of_one_customer_queue_the_customer_once(void **state)
{
	int64_t before;

	(void)state;
	sql("DELETE FROM buyers_queue");
	queue_keys(OF_LINES, "seq_3_to_202");
	queue_keys(OF_LINES, "seq_3_to_202"); /* twice, as two lines of an order do */
	before = executed();
	assert_int_equal(expand(), 200);
	assert_true(executed() - before < 15); /* four queries, and not one for each */
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue"), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path = 0 AND `key` = '1'"
				" AND queued_at = '2026-11-23 00:00:03'"),
			 1);
}

static void a_claim_of_any_size_is_expanded(void **state)
{
	(void)state;
	sql("DELETE FROM buyers_queue");
	queue_keys(OF_LINES, "seq_2002_to_2700");
	queue_keys(OF_LINES, "seq_1_to_1000");
	queue_keys(OF_LINES, "seq_5000_to_5400"); /* there are none */
	assert_int_equal(expand(), 699 + 1000 + 401);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path"), 0);
	assert_int_equal(number("SELECT COUNT(DISTINCT `key`) FROM buyers_queue"), 700);
	/* A transaction is short: none expanded more than 256, nor much more than a page. */
	assert_true(number("SELECT COUNT(*) FROM buyers_queue") < 720);
}

/* What has more than a page of documents does not keep its neighbours from going together. */
static void who_has_more_than_a_page_goes_alone(void **state)
{
	(void)state;
	sql("DELETE FROM buyers_queue");
	queue_keys(OF_PRODUCT, "seq_1_to_200");
	assert_int_equal(expand(), 200);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path"), 1);
	assert_int_equal(number("SELECT `key` FROM buyers_queue WHERE path AND `cursor` <> ''"), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path = 0"), 500 + 10);
	assert_int_equal(expand(), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path"), 0);
	assert_int_equal(number("SELECT COUNT(DISTINCT `key`) FROM buyers_queue"), 699);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue"), 699 + 10);
}

static void what_makes_no_sense_keeps_nothing_waiting(void **state)
{
	unsigned lines = path_of(OF_LINES);
	struct err err = {0};

	(void)state;
	sql("DELETE FROM buyers_queue");
	ok(sync_dead_letter_add(db, "buyers", lines, str_from("2007"), "former", &err), &err);
	ok(sync_dead_letter_add(db, "buyers", lines, str_from("2008"), "of another", &err), &err);
	atomic_store(&shared.has_dead_letters, true);
	sql("INSERT INTO buyers_queue (path, `key`, `cursor`, queued_at) VALUES"
	    " (%u, 'no number', '', NOW(6)), (%u, '2002', '', NOW(6)), (77, '1', '', NOW(6)),"
	    " (77, '2', '', NOW(6)), (%u, '2003', 'no key', NOW(6)), (%u, '2003', '', NOW(6)),"
	    " (%u, '2007', '', NOW(6)), (%u, '', '', NOW(6))",
	    lines, lines, lines, lines, lines, lines);
	assert_int_equal(expand(), 8);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue"), 3);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path = 0 AND `key` IN"
				" ('2', '3', '7')"),
			 3);
	/* The broken cursor is set aside; a path of a former mapping is not; a success heals. */
	assert_int_equal(number("SELECT COUNT(*) FROM sync_dead_letter"), 2);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_dead_letter WHERE `key` = '2003'"), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_dead_letter WHERE `key` = '2008'"), 1);
	atomic_store(&shared.has_dead_letters, false);
}

static void nothing_is_expanded_without_the_lease(void **state)
{
	struct err err = {0};
	size_t done = 0;

	(void)state;
	sql("DELETE FROM buyers_queue");
	queue_keys(OF_LINES, "seq_1_to_100");
	arena_clear(&worker.arena);
	ok(sync_queue_claim(&queue, db, SYNC_CLAIM_FULL, 4000, &worker.claim, &err), &err);
	shared.term = 4;
	assert_int_equal(sync_expand_all(&worker, &collection, &queue, &done, &err), -ERR_FENCED);
	shared.term = 5;
	assert_int_equal(done, 0);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue WHERE path"), 100);
	assert_int_equal(number("SELECT COUNT(*) FROM buyers_queue"), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_orders_of_one_customer_queue_the_customer_once),
	    cmocka_unit_test(a_claim_of_any_size_is_expanded),
	    cmocka_unit_test(who_has_more_than_a_page_goes_alone),
	    cmocka_unit_test(what_makes_no_sense_keeps_nothing_waiting),
	    cmocka_unit_test(nothing_is_expanded_without_the_lease),
	};

	if (!getenv("AETHERMART_TEST_MARIADB_SOCKET"))
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
