/* Documents judged on many threads, recorded by one, against a real server. Skipped unless
 * AETHERMART_TEST_MARIADB_SOCKET names the socket of a server on which root needs no password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "govern/quality_stream.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_stream_test"
#define THREADS	 4
#define KEYS	 50 /* of each thread */
#define ROUNDS	 40

/* As in sql/150-quality-rules.sql. */
static const char tables[] =
    "DROP DATABASE IF EXISTS " DATABASE ";\n"
    "CREATE DATABASE " DATABASE " CHARACTER SET utf8mb4;\n"
    "USE " DATABASE ";\n"
    "CREATE TABLE Quality_Quarantine (check_name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,"
    " entity VARCHAR(64), entity_key VARCHAR(255), reason VARCHAR(600),"
    " found_by ENUM('run','stream'), first_seen DATETIME(3), last_seen DATETIME(3),"
    " resolved_at DATETIME(3) NULL, PRIMARY KEY (check_name, entity, entity_key));\n";

static const char rules[] = "owner: x\nrules:\n"
			    "  price: {kind: invalid, about: b, collection: goods, field: price,"
			    " min: 0, stream: yes}\n"
			    "  other: {kind: missing, about: b, collection: bads, field: price,"
			    " stream: yes}\n";
static const char goods[] = "collection: goods\ntable: T\nkey: id\nqueue: q\nfields:\n  price: p\n";

struct fixture {
	struct maria_options options;
	struct maria *db;
	struct mapping *mapping;
};

static int setup(void **state)
{
	const char *socket = getenv("AETHERMART_TEST_MARIADB_SOCKET");
	static struct fixture f;
	struct err err = {0};

	if (!socket)
		return 0;
	f.options = (struct maria_options){.socket = socket, .user = "root"};
	assert_int_equal(maria_open(&f.options, &f.db, &err), 0);
	assert_int_equal(maria_script(f.db, "tables", tables, &err), 0);
	assert_int_equal(mapping_parse("goods.yaml", goods, strlen(goods), &f.mapping, &err), 0);
	f.options.database = DATABASE;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f) {
		(void)!maria_exec(f->db, "DROP DATABASE " DATABASE, NULL);
		f->db = maria_close(f->db);
		mapping_free(f->mapping);
	}
	return 0;
}

static struct quality_stream *start(const struct fixture *f)
{
	struct quality_checks *checks = NULL;

	assert_int_equal(quality_parse("q.yaml", rules, strlen(rules), &checks, NULL), 0);
	return quality_stream_start(checks, &f->options);
}

static void judge(struct quality_stream *s, const struct fixture *f, const char *key, int price)
{
	bson_t doc = BSON_INITIALIZER;
	struct mapping_document d = {
	    .key = str_from(key), .state = MAPPING_PRESENT, .document = &doc};

	BSON_APPEND_INT32(&doc, "price", price);
	quality_stream_judge(s, f->mapping, &d, 1);
	bson_destroy(&doc);
}

static int64_t count(const struct fixture *f, const char *where)
{
	char sql[200];
	int64_t n = -1;

	(void)snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM Quality_Quarantine WHERE %s", where);
	assert_int_equal(maria_query_int(f->db, sql, NULL, 0, &n, NULL), 0);
	return n;
}

struct hand {
	struct quality_stream *stream;
	const struct fixture *f;
	int number;
};

/* The last document of a key fails when the key is odd. */
static void *hand_main(void *arg)
{
	struct hand *h = arg;
	char key[40];

	for (int round = 0; round < ROUNDS; round++) {
		for (int k = 0; k < KEYS; k++) {
			bool last = round == ROUNDS - 1;

			(void)snprintf(key, sizeof(key), "%d:%d", h->number, k);
			judge(h->stream, h->f, key,
			      (last ? k % 2 : (round + k + h->number) % 3 == 0) ? -1 : 1);
		}
	}
	return NULL;
}

static void the_last_document_of_each_key_decides(void **state)
{
	const struct fixture *f = *state;
	struct quality_stream_state now;
	struct quality_stream *s;
	pthread_t threads[THREADS];
	struct hand hands[THREADS];

	if (!f)
		skip();
	s = start(f);
	for (int i = 0; i < THREADS; i++) {
		hands[i] = (struct hand){s, f, i};
		assert_int_equal(pthread_create(&threads[i], NULL, hand_main, &hands[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	quality_stream_state(s, &now);
	assert_int_equal(now.n_checks, 2);
	assert_int_equal(now.lost, 0);
	assert_int_equal(now.n_open, THREADS * KEYS / 2);
	quality_stream_stop(s);
	assert_int_equal(count(f, "resolved_at IS NULL"), THREADS * KEYS / 2);
	assert_int_equal(count(f, "resolved_at IS NULL AND entity_key REGEXP ':[0-9]*[02468]$'"),
			 0);
	assert_int_equal(count(f, "check_name <> 'price' OR found_by <> 'stream'"), 0);
}

static void what_passes_and_never_failed_is_no_row(void **state)
{
	const struct fixture *f = *state;
	struct quality_stream *s;

	if (!f)
		skip();
	assert_int_equal(maria_exec(f->db, "DELETE FROM Quality_Quarantine", NULL), 0);
	s = start(f);
	judge(s, f, "1", 1);
	judge(s, f, "2", -1);
	judge(s, f, "3", 1);
	quality_stream_stop(s);
	assert_int_equal(count(f, "TRUE"), 1);
	s = start(f); /* the next worker */
	judge(s, f, "2", 1);
	quality_stream_stop(s);
	assert_int_equal(count(f, "resolved_at IS NULL"), 0);
}

static void what_does_not_fit_is_lost_and_counted(void **state)
{
	const struct fixture *f = *state;
	struct quality_stream_state now;
	struct quality_stream *s;
	struct maria *lock = NULL;
	char key[24];
	const int n = QUALITY_WAITING_MAX + 2000;

	if (!f)
		skip();
	assert_int_equal(maria_exec(f->db, "DELETE FROM Quality_Quarantine", NULL), 0);
	assert_int_equal(maria_open(&f->options, &lock, NULL), 0);
	assert_int_equal(maria_exec(lock, "LOCK TABLES Quality_Quarantine READ", NULL), 0);
	s = start(f);
	for (int i = 0; i < n; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		judge(s, f, key, -1);
	}
	quality_stream_state(s, &now);
	assert_true(now.lost >= 2000 - 256 && now.lost <= 2000); /* one hand is full, at most */
	assert_int_equal(maria_exec(lock, "UNLOCK TABLES", NULL), 0);
	(void)maria_close(lock);
	do {
		quality_stream_state(s, &now);
	} while (now.n_waiting);
	quality_stream_stop(s);
	assert_int_equal(count(f, "TRUE"), n - (int64_t)now.lost);
}

/* The server's own wait would be as long as 50 s, and that a second time. */
static void somebodys_lock_keeps_nobody_from_ending(void **state)
{
	const struct fixture *f = *state;
	struct quality_stream_state now;
	struct quality_stream *s;
	struct maria *lock = NULL;
	int64_t since_us;

	if (!f)
		skip();
	assert_int_equal(maria_exec(f->db, "DELETE FROM Quality_Quarantine", NULL), 0);
	assert_int_equal(maria_open(&f->options, &lock, NULL), 0);
	assert_int_equal(maria_exec(lock, "START TRANSACTION", NULL), 0);
	assert_int_equal(maria_exec(lock,
				    "INSERT INTO Quality_Quarantine (check_name, entity,"
				    " entity_key) VALUES ('price', 'goods', '1')",
				    NULL),
			 0);
	s = start(f);
	judge(s, f, "1", -1);
	do { /* until it is in the hand that waits */
		quality_stream_state(s, &now);
	} while (now.n_waiting);
	since_us = clock_monotonic_us();
	quality_stream_stop(s);
	assert_true(clock_monotonic_us() - since_us < 20000000);
	(void)maria_close(lock);
	assert_int_equal(count(f, "TRUE"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_document_of_each_key_decides),
	    cmocka_unit_test(what_passes_and_never_failed_is_no_row),
	    cmocka_unit_test(what_does_not_fit_is_lost_and_counted),
	    cmocka_unit_test(somebodys_lock_keeps_nobody_from_ending),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
