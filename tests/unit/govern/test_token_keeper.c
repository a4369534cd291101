/* Looking tokens up while others hold what is looked at. Skipped unless
 * AETHERMART_TEST_MARIADB_SOCKET names the socket of a server on which root needs no password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/token.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_keeper_test"
#define TOKEN	 "am_0123abcd_" SECRET
#define SECRET	 "0123456789012345678901234567890123456789012"

/* What is looked at, of sql/135-tokens.sql. */
static const char tables[] =
    "DROP DATABASE IF EXISTS " DATABASE ";\n"
    "CREATE DATABASE " DATABASE " CHARACTER SET utf8mb4;\n"
    "USE " DATABASE ";\n"
    "CREATE TABLE Access_Tokens (token_id CHAR(8) CHARACTER SET ascii COLLATE ascii_bin PRIMARY "
    "KEY,"
    " token_hash BINARY(32), role_name VARCHAR(64), customer_id BIGINT UNSIGNED, rate_count INT,"
    " rate_seconds INT, token_name VARCHAR(64), revoked_at DATETIME(3), expires_at DATETIME(3),"
    " last_used_at DATETIME(3));\n";

static int64_t ask(struct maria *m, const char *sql)
{
	struct err err = {0};
	int64_t n = -1;

	if (maria_query_int(m, sql, NULL, 0, &n, &err) < 0)
		fail_msg("%s", err.message);
	return n;
}

static void add_token(struct maria *m)
{
	unsigned char hash[TOKEN_HASH_SIZE];

	token_hash(str_from(TOKEN), hash);

	const struct maria_value params[] = {
	    MARIA_B(((struct str){(const char *)hash, sizeof(hash)}))};

	assert_int_equal(maria_run(m,
				   "INSERT INTO Access_Tokens VALUES ('0123abcd', ?, 'agent', NULL,"
				   " NULL, NULL, '', NULL, NULL, UTC_TIMESTAMP(3))",
				   params, 1, NULL, NULL),
			 0);
}

/* The server says so, before the client gives up: else its session goes on waiting, one more for
 * each request. */
static void assert_gives_up(struct maria_pool *pool, struct maria *db)
{
	struct token_found found;
	struct err err = {0};

	assert_int_equal(token_keeper_find(pool, str_from(TOKEN), &found, &err), -ERR_TIMEOUT);
	assert_int_equal(ask(db, "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
				 " WHERE STATE LIKE 'Waiting for%lock'"),
			 0);
}

static void assert_finds(struct maria_pool *pool)
{
	struct token_found found;
	struct err err = {0};

	if (token_keeper_find(pool, str_from(TOKEN), &found, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(found.role, "agent");
}

static void cut_off_others(struct maria *db)
{
	while (ask(db, "SELECT COALESCE(MAX(ID), 0) FROM information_schema.PROCESSLIST"
		       " WHERE ID <> CONNECTION_ID() AND DB = '" DATABASE "'")) {
		char kill[64];

		(void)snprintf(
		    kill, sizeof(kill), "KILL %lld",
		    (long long)ask(db, "SELECT MAX(ID) FROM information_schema.PROCESSLIST"
				       " WHERE ID <> CONNECTION_ID() AND DB = '" DATABASE "'"));
		(void)!maria_exec(db, kill, NULL); /* it may be gone already */
	}
}

static void somebodys_lock_is_not_waited_for_by_a_connection_old_or_new(void **state)
{
	struct maria_options options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					.user = "root"};
	struct maria *db = NULL;
	struct maria_pool *pool;

	(void)state;
	if (!options.socket)
		skip();
	assert_int_equal(maria_open(&options, &db, NULL), 0);
	assert_int_equal(maria_script(db, "tables", tables, NULL), 0);
	add_token(db);
	options.database = DATABASE;
	pool = token_keeper_connections(&options);
	assert_finds(pool);
	assert_int_equal(maria_exec(db, "LOCK TABLES Access_Tokens WRITE", NULL), 0);
	assert_gives_up(pool, db);
	assert_int_equal(maria_exec(db, "UNLOCK TABLES", NULL), 0);

	cut_off_others(db);
	assert_finds(pool); /* on a new one in its place */
	assert_int_equal(maria_exec(db, "LOCK TABLES Access_Tokens WRITE", NULL), 0);
	assert_gives_up(pool, db);
	assert_int_equal(maria_exec(db, "UNLOCK TABLES", NULL), 0);
	assert_null(maria_pool_free(pool));
	assert_int_equal(maria_exec(db, "DROP DATABASE " DATABASE, NULL), 0);
	(void)maria_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(somebodys_lock_is_not_waited_for_by_a_connection_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
