/*
 * Queue, lease and verification against real servers. Skipped unless AETHERMART_TEST_MARIADB_SOCKET
 * and AETHERMART_TEST_MONGODB_URI name servers; see test_live.c of the mapping and
 * test_sink_live.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"
#include "sync/sync_int.h"
#include "sync/sync_verify.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define DATABASE "aethermart_sync_test"

static struct maria *db;
static struct mongo *mongo;
static struct schema *schema;
static struct mapping *people;

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s (%s)", err->message, err->hint);
}

static void sql(const char *text)
{
	struct err err = {0};

	ok(maria_exec(db, text, &err), &err);
}

static int64_t number(const char *text)
{
	struct err err = {0};
	int64_t n;

	ok(maria_query_int(db, text, NULL, 0, &n, &err), &err);
	return n;
}

static void run(const char *command_json)
{
	bson_t *command = people_json(command_json);
	struct err err = {0};

	ok(mongo_command(mongo, NULL, command, NULL, &err), &err);
	bson_destroy(command);
}

static int set_up(void **state)
{
	struct maria_options maria_options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					      .user = "root"};
	struct mongo_options mongo_options = {.uri = getenv("AETHERMART_TEST_MONGODB_URI"),
					      .database = DATABASE};
	struct sync_install_report report = {0};
	struct mapping_set set = {.len = 1, .items = &people};
	struct err err = {0};

	(void)state;
	ok(maria_open(&maria_options, &db, &err), &err);
	ok(mongo_open(&mongo_options, &mongo, &err), &err);
	run("{\"dropDatabase\": 1}");
	ok(maria_script(db, "tables",
			"DROP DATABASE IF EXISTS " DATABASE "; CREATE DATABASE " DATABASE
			" CHARACTER SET utf8mb4; USE " DATABASE ";"
			"CREATE TABLE customer (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(50));",
			&err),
	   &err);
	ok(schema_load(db, DATABASE, &schema, &err), &err);
	people = people_mapping(PEOPLE_HEAD PEOPLE_FIELDS, schema);
	ok(sync_install(db, mongo, &set, &report, &err), &err);
	assert_int_equal(report.collections_changed, 1);
	report = (struct sync_install_report){0};
	ok(sync_install(db, mongo, &set, &report, &err), &err); /* again: nothing to do */
	assert_int_equal(report.collections_changed, 0);
	assert_int_equal(report.triggers_made, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sql("DROP DATABASE " DATABASE);
	run("{\"dropDatabase\": 1}");
	mapping_free(people);
	schema_free(schema);
	maria_close(db);
	mongo_close(mongo);
	return 0;
}

/* --- queue ------------------------------------------------------------------------------------ */

static void owners_are_those_of_the_servers_crc32(void **state)
{
	static const char bytes[] = "\0\xff'\\\xc3\xbc 18446744073709551615:k%3A";

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct str key = {bytes, len};
		struct err err = {0};
		int64_t crc;

		ok(maria_query_int(db, "SELECT CRC32(?)", &MARIA_B(key), 1, &crc, &err), &err);
		for (unsigned owners = 1; owners <= SYNC_FENCES; owners++)
			assert_int_equal(sync_owner_of(key, owners), (uint64_t)crc % owners);
	}
}

static void each_change_is_claimed_by_one_worker_and_deleted_by_its_id(void **state)
{
	enum { ROWS = 2600, OWNERS = 3 };
	_cleanup_(mem_freep) uint64_t *ids = mem_alloc_array(ROWS, sizeof(*ids));
	struct err err = {0};
	size_t claimed = 0;

	(void)state;
	sql("DELETE FROM people_queue");
	sql("INSERT INTO customer SELECT seq, CONCAT('n', seq) FROM seq_1_to_2600");
	assert_int_equal(number("SELECT COUNT(*) FROM people_queue"), ROWS);
	for (unsigned owner = 0; owner < OWNERS; owner++) {
		struct sync_claim claim = {0};
		struct sync_queue q;
		uint64_t last = 0;

		sync_queue_init(&q, people, owner, OWNERS);
		ok(sync_queue_claim(&q, db, true, 7, &claim, &err), &err);
		assert_int_equal(claim.len, 7); /* never more than asked for */
		ok(sync_queue_claim(&q, db, true, ROWS, &claim, &err), &err);
		for (size_t i = 0; i < claim.len; i++) {
			assert_int_equal(sync_owner_of(claim.items[i].key, OWNERS), owner);
			assert_int_equal(claim.items[i].path, MAPPING_PATH_ROOT);
			assert_int_equal(claim.items[i].cursor.len, 0);
			assert_true(claim.items[i].id > last); /* in the order of ids */
			assert_true(llabs(clock_wall_us() - claim.items[i].queued_us) < 60000000);
			last = ids[i] = claim.items[i].id;
		}
		claimed += claim.len;
		ok(sync_queue_delete(&q, db, ids, claim.len, &err), &err);
		ok(sync_queue_claim(&q, db, true, ROWS, &claim, &err), &err);
		assert_int_equal(claim.len, 0);
		sync_claim_done(&claim);
		sync_queue_done(&q);
	}
	assert_int_equal(claimed, ROWS);
	assert_int_equal(number("SELECT COUNT(*) FROM people_queue"), 0);
	sql("DELETE FROM customer");
	sql("DELETE FROM people_queue");
}

static void any_number_of_rows_is_deleted_and_no_other(void **state)
{
	static const size_t numbers[] = {0, 1, 2, 8, 9, 33, 129, 513, 2048, 2049, 4100};
	_cleanup_(mem_freep) uint64_t *ids = mem_alloc_array(4100, sizeof(*ids));
	struct sync_queue q;
	struct err err = {0};

	(void)state;
	sync_queue_init(&q, people, 0, 1);
	for (size_t i = 0; i < 4100; i++)
		ids[i] = i + 1;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		sql("DELETE FROM people_queue");
		sql("INSERT INTO people_queue (id, path, `key`, queued_at)"
		    " SELECT seq, 0, seq, NOW(6) FROM seq_1_to_4200");
		ok(sync_queue_delete(&q, db, ids, numbers[i], &err), &err);
		assert_int_equal(number("SELECT COUNT(*) FROM people_queue"), 4200 - numbers[i]);
		if (numbers[i])
			assert_int_equal(number("SELECT MIN(id) FROM people_queue"),
					 numbers[i] + 1);
	}
	sql("DELETE FROM people_queue");
	sync_queue_done(&q);
}

static void any_number_of_documents_is_queued_with_its_time(void **state)
{
	static const size_t numbers[] = {1, 15, 16, 17, 128, 145, 300};
	struct arena arena = {0};
	struct str keys[300];
	struct sync_queue q;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = str_from(arena_printf(&arena, "k%zu", i));
	sync_queue_init(&q, people, 0, 1);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		sql("DELETE FROM people_queue");
		ok(sync_queue_insert(&q, db, keys, numbers[i], 1795403364123456, &err), &err);
		assert_int_equal(number("SELECT COUNT(DISTINCT `key`) FROM people_queue WHERE"
					" queued_at = '2026-11-23 03:09:24.123456' AND path = 0"),
				 numbers[i]);
	}
	sql("DELETE FROM people_queue");
	sync_queue_done(&q);
	arena_done(&arena);
}

static void the_floor_hides_only_from_quick_looks_and_cursors_move(void **state)
{
	struct sync_claim claim = {0};
	struct sync_queue q;
	struct err err = {0};

	(void)state;
	sql("INSERT INTO people_queue (id, path, `key`, queued_at)"
	    " VALUES (100, 5, 'a', NOW(6)), (200, 0, 'b', NOW(6))");
	sync_queue_init(&q, people, 0, 1);
	q.floor = 150;
	ok(sync_queue_claim(&q, db, false, 10, &claim, &err), &err);
	assert_int_equal(claim.len, 1);
	assert_int_equal(claim.items[0].id, 200);
	ok(sync_queue_move(&q, db, 100, (struct str){"c\0d", 3}, &err), &err);
	ok(sync_queue_claim(&q, db, true, 10, &claim, &err), &err);
	assert_int_equal(claim.len, 2);
	assert_int_equal(claim.items[0].path, 5);
	assert_int_equal(claim.items[0].cursor.len, 3);
	assert_memory_equal(claim.items[0].cursor.data, "c\0d", 3);
	sync_claim_done(&claim);
	sync_queue_done(&q);
	sql("DELETE FROM people_queue");
}

/* --- lease ------------------------------------------------------------------------------------ */

static char holder_a[] = "a", holder_b[] = "b";

static int guard(const char *holder, int64_t term, struct err *err)
{
	int r;

	sql("START TRANSACTION");
	r = sync_lease_guard(db, holder, term, err);
	sync_rollback(db);
	return r;
}

static void one_holds_the_lease_and_its_term_rises(void **state)
{
	struct sync_lease a = {.holder = holder_a, .duration_us = 60000000}, old;
	struct sync_lease b = {.holder = holder_b, .duration_us = 60000000};
	int64_t before = clock_monotonic_us();
	struct err err = {0};

	(void)state;
	ok(sync_lease_take(&a, db, mongo, &err), &err);
	assert_true(a.term > 0);
	assert_true(a.held_until_us >= before + a.duration_us);
	assert_true(a.held_until_us <= clock_monotonic_us() + a.duration_us);
	assert_int_equal(sync_lease_take(&b, db, mongo, &err), -ERR_CONFLICT);
	assert_int_equal(b.term, 0);
	ok(sync_lease_renew(&a, db, &err), &err);
	ok(guard("a", a.term, &err), &err);
	assert_int_equal(guard("b", a.term, &err), -ERR_FENCED);
	assert_int_equal(guard("a", a.term - 1, &err), -ERR_FENCED);
	old = a;
	sync_lease_release(&a, db);
	assert_int_equal(a.term, 0);
	ok(sync_lease_take(&b, db, mongo, &err), &err); /* at once, not after the expiry */
	assert_true(b.term > old.term);
	assert_int_equal(sync_lease_renew(&old, db, &err), -ERR_FENCED);
	assert_int_equal(guard("a", old.term, &err), -ERR_FENCED);
	sync_lease_release(&old, db); /* of somebody else's lease: nothing */
	ok(guard("b", b.term, &err), &err);
	sync_lease_release(&b, db);
}

static void an_expired_lease_is_free(void **state)
{
	struct sync_lease a = {.holder = holder_a, .duration_us = 1000};
	struct sync_lease b = {.holder = holder_b, .duration_us = 60000000};
	struct err err = {0};

	(void)state;
	ok(sync_lease_take(&a, db, mongo, &err), &err);
	usleep(20000);
	ok(sync_lease_take(&b, db, mongo, &err), &err);
	assert_int_equal(b.term, a.term + 1);
	assert_int_equal(sync_lease_renew(&a, db, &err), -ERR_FENCED);
	sync_lease_release(&b, db);
}

static void a_term_is_above_every_fence(void **state)
{
	struct sync_lease a = {.holder = holder_a, .duration_us = 60000000};
	mongoc_client_t *client = mongo_pop(mongo);
	mongoc_collection_t *c =
	    mongoc_client_get_collection(client, DATABASE, SYNC_FENCE_COLLECTION);
	bson_t *at_term, empty = BSON_INITIALIZER;
	struct err err = {0};
	bson_error_t e;

	(void)state;
	run("{\"update\": \"sync_fence\", \"updates\": [{\"q\": {\"_id\": 3}, \"u\": {\"$set\": "
	    "{\"term\": {\"$numberLong\": \"1000\"}}}, \"upsert\": true}]}");
	ok(sync_lease_take(&a, db, mongo, &err), &err);
	assert_int_equal(a.term, 1001);
	assert_int_equal(number("SELECT term FROM sync_lease"), 1001);
	at_term = BCON_NEW("term", BCON_INT64(1001));
	assert_int_equal(mongoc_collection_count_documents(c, at_term, NULL, NULL, NULL, &e),
			 SYNC_FENCES);
	assert_int_equal(mongoc_collection_count_documents(c, &empty, NULL, NULL, NULL, &e),
			 SYNC_FENCES);
	sync_lease_release(&a, db);
	bson_destroy(at_term);
	bson_destroy(&empty);
	mongoc_collection_destroy(c);
	mongo_push(mongo, client);
}

/* --- verification ----------------------------------------------------------------------------- */

#define LONG(n) "{\"$numberLong\": \"" n "\"}"
#define MARK	", \"_sync\": {\"version\": \"0\"}}"

static void prepare_differences(void)
{
	sql("DELETE FROM customer");
	sql("INSERT INTO customer VALUES (1, 'A'), (2, 'B'), (3, 'C')");
	sql("DELETE FROM people_queue");
	run("{\"collMod\": \"people\", \"validator\": {}}");
	run("{\"delete\": \"people\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}");
	run("{\"insert\": \"people\", \"documents\": ["
	    "{\"_id\": " LONG("1") ", \"id\": " LONG(
		"1") ", \"name\": \"A\", \"mine\": 1" MARK ","
		     "{\"_id\": " LONG("2") ", \"id\": 2, \"name\": null" MARK ","
					    "{\"_id\": " LONG("4") ", \"id\": " LONG(
						"4") ", \"name\": \"D\"" MARK ","
						     "{\"_id\": " LONG(
							 "5") ", \"name\": \"foreign\"}]}");
}

static void verification_counts_and_names_what_differs(void **state)
{
	static const struct sync_difference wanted[] = {
	    {SYNC_DIFFERENT, {"2", 1}, "id, name"},
	    {SYNC_MISSING, {"3", 1}, NULL},
	    {SYNC_EXTRA, {"4", 1}, NULL},
	};
	struct sync_verify_options options = {.wait_ms = 100};
	struct sync_verify_result r;
	struct err err = {0};

	(void)state;
	prepare_differences();
	ok(sync_verify(db, mongo, people, &options, &r, &err), &err);
	assert_int_equal(r.rows, 3);
	assert_int_equal(r.documents, 4);
	assert_int_equal(r.foreign, 1);
	assert_int_equal(r.pending, 0);
	assert_int_equal(r.missing, 1);
	assert_int_equal(r.extra, 1);
	assert_int_equal(r.different, 1);
	assert_false(sync_verify_is_equal(&r));
	assert_int_equal(r.n_differences, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(r.differences[i].kind, wanted[i].kind);
		assert_true(str_equal(r.differences[i].key, wanted[i].key));
		if (wanted[i].paths)
			assert_string_equal(r.differences[i].paths, wanted[i].paths);
	}
	sync_verify_result_done(&r);
}

static void what_is_still_queued_is_no_difference_for_sure(void **state)
{
	struct sync_verify_options options = {.wait_ms = 100};
	struct sync_verify_result r;
	struct err err = {0};

	(void)state;
	prepare_differences();
	sql("UPDATE customer SET name = 'C2' WHERE id = 3"); /* queued, and nobody works */
	ok(sync_verify(db, mongo, people, &options, &r, &err), &err);
	assert_int_equal(r.missing + r.extra + r.different, 0);
	assert_int_equal(r.pending, 3);
	assert_false(sync_verify_is_equal(&r));
	sync_verify_result_done(&r);
}

static void repairing_queues_what_differs(void **state)
{
	struct sync_verify_options options = {.repair = true, .wait_ms = 100};
	struct sync_verify_result r;
	struct err err = {0};

	(void)state;
	prepare_differences();
	ok(sync_verify(db, mongo, people, &options, &r, &err), &err);
	assert_int_equal(r.repaired, 0); /* nobody works */
	assert_int_equal(r.pending, 3);
	assert_int_equal(
	    number("SELECT COUNT(*) FROM people_queue WHERE path = 0 AND `key` IN ('2',"
		   " '3', '4')"),
	    3);
	assert_int_equal(number("SELECT COUNT(*) FROM people_queue"), 3);
	sync_verify_result_done(&r);
}

/* --- dead letters ----------------------------------------------------------------------------- */

static void a_dead_letter_is_one_row_a_document(void **state)
{
	struct err err = {0};

	(void)state;
	ok(sync_dead_letter_add(db, "people", 0, str_from("1"), "first", &err), &err);
	ok(sync_dead_letter_add(db, "people", 0, str_from("1"), "second", &err), &err);
	ok(sync_dead_letter_add(db, "people", 7, str_from("1"), "other path", &err), &err);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_dead_letter"), 2);
	assert_int_equal(number("SELECT attempts FROM sync_dead_letter WHERE path = 0 AND error ="
				" 'second'"),
			 2);
	ok(sync_dead_letter_clear(db, "people", 0, str_from("1"), &err), &err);
	assert_int_equal(number("SELECT path FROM sync_dead_letter"), 7);
	sql("DELETE FROM sync_dead_letter");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(owners_are_those_of_the_servers_crc32),
	    cmocka_unit_test(each_change_is_claimed_by_one_worker_and_deleted_by_its_id),
	    cmocka_unit_test(any_number_of_rows_is_deleted_and_no_other),
	    cmocka_unit_test(any_number_of_documents_is_queued_with_its_time),
	    cmocka_unit_test(the_floor_hides_only_from_quick_looks_and_cursors_move),
	    cmocka_unit_test(one_holds_the_lease_and_its_term_rises),
	    cmocka_unit_test(an_expired_lease_is_free),
	    cmocka_unit_test(a_term_is_above_every_fence),
	    cmocka_unit_test(verification_counts_and_names_what_differs),
	    cmocka_unit_test(what_is_still_queued_is_no_difference_for_sure),
	    cmocka_unit_test(repairing_queues_what_differs),
	    cmocka_unit_test(a_dead_letter_is_one_row_a_document),
	};

	if (!getenv("AETHERMART_TEST_MARIADB_SOCKET") || !getenv("AETHERMART_TEST_MONGODB_URI"))
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
