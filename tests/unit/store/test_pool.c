/* Connections that are kept, and what a new one in their place still is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/maria_pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

static int64_t ask(struct maria *m, const char *sql)
{
	struct err err = {0};
	int64_t n = -1;

	if (maria_query_int(m, sql, NULL, 0, &n, &err) < 0)
		fail_msg("%s", err.message);
	return n;
}

#define WAITS "SELECT @@innodb_lock_wait_timeout * 1000 + @@lock_wait_timeout"

static void a_connection_that_is_made_anew_waits_for_locks_as_before(void **state)
{
	const struct maria_options options = {
	    .socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"), .user = "root", .lock_wait_s = 2};
	struct maria_pool *pool;
	struct maria *m, *other, *again;
	struct err err = {0};
	char kill[64];

	(void)state;
	if (!options.socket)
		skip();
	pool = maria_pool_new(&options);
	assert_int_equal(maria_pool_take(pool, &m, &err), 0);
	assert_int_equal(maria_pool_take(pool, &other, &err), 0);
	assert_int_equal(ask(m, WAITS), 2002);
	(void)snprintf(kill, sizeof(kill), "KILL %" PRId64, ask(m, "SELECT CONNECTION_ID()"));
	assert_int_equal(maria_exec(other, kill, &err), 0);
	assert_true(maria_exec(m, "SELECT 1", &err) < 0 && maria_is_lost(m));
	assert_int_equal(maria_reconnect(m, &err), 0);
	assert_int_equal(ask(m, WAITS), 2002);
	assert_int_equal(maria_set_lock_wait(m, 3, &err), 0);
	assert_int_equal(ask(m, WAITS), 3003);

	/* The one that was given back is the next one; one that is lost is not kept. */
	maria_pool_give(pool, m);
	assert_int_equal(maria_pool_take(pool, &again, &err), 0);
	assert_ptr_equal(again, m);
	maria_pool_give(pool, again);
	maria_pool_give(pool, other);
	assert_null(maria_pool_free(pool));
}

static void a_row_that_the_server_cannot_make_is_an_error_with_its_reason(void **state)
{
	const struct maria_options options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					      .user = "root",
					      .database = "mysql"};
	const char *sql = "SELECT IF(seq < ?, seq, (SELECT 1 UNION SELECT 2)) FROM seq_1_to_9";
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct maria_rows *rows = NULL;
	struct err err = {0};
	int n = 0, r;

	(void)state;
	if (!options.socket)
		skip();
	assert_int_equal(maria_open(&options, &m, &err), 0);
	assert_int_equal(maria_query(m, sql, &MARIA_I(5), 1, &rows, &err), 0);
	while ((r = maria_rows_next(rows, &err)) > 0)
		n++;
	assert_int_equal(n, 4);
	assert_int_equal(r, -ERR_INVALID_ARGUMENT);
	assert_int_equal(err.native, 1242);
	assert_non_null(strstr(err.message, "more than 1 row"));
	assert_null(maria_rows_close(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_that_is_made_anew_waits_for_locks_as_before),
	    cmocka_unit_test(a_row_that_the_server_cannot_make_is_an_error_with_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
