/* Lines of server_audit, and statements without literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/rbac_line.h"

#define BEGIN "20261127 16:30:27,vm,maria,10.0.0.7,5,6,"

static void assert_kept(const char *sql, const char *wanted)
{
	struct strbuf b = STRBUF_INIT(0);

	rbac_statement_without_literals(str_from(sql), &b);
	assert_string_equal(strbuf_str(&b), wanted);
	strbuf_done(&b);
}

static void assert_statement(const char *line, const char *wanted)
{
	struct strbuf b = STRBUF_INIT(0);
	struct rbac_line l;

	assert_true(rbac_line_parse(str_from(line), &l));
	rbac_line_statement(&l, &b);
	assert_string_equal(strbuf_str(&b), wanted);
	strbuf_done(&b);
}

static void assert_str(struct str s, const char *wanted)
{
	assert_true(str_equal(s, str_from(wanted)));
}

static void a_line_of_each_kind_is_read(void **state)
{
	struct rbac_line l;
	char outcome[24];

	(void)state;
	assert_true(rbac_line_parse(str_from(BEGIN "QUERY,shop,'SELECT 1',1142"), &l));
	assert_string_equal(l.happened_at, "2026-11-27 16:30:27");
	assert_str(l.user, "maria");
	assert_str(l.host, "10.0.0.7");
	assert_int_equal(l.connection, 5);
	assert_int_equal(l.query, 6);
	assert_str(l.database, "shop");
	assert_str(l.statement, "SELECT 1");
	rbac_line_outcome(&l, outcome, sizeof(outcome));
	assert_string_equal(outcome, "denied");
	assert_true(rbac_line_parse(str_from(BEGIN "RENAME,shop,t|shop.t,2,"), &l));
	assert_str(l.object, "t|shop.t,2");
	rbac_line_outcome(&l, outcome, sizeof(outcome));
	assert_string_equal(outcome, "");
	assert_true(rbac_line_parse(str_from(BEGIN "CONNECT,,,0"), &l));
	assert_str(l.action, "CONNECT");
	rbac_line_outcome(&l, outcome, sizeof(outcome));
	assert_string_equal(outcome, "done");
}

static void what_fits_no_form_is_not_guessed_at(void **state)
{
	static const char *const lines[] = {
	    "",
	    "20261127 16:30:27",
	    "20261127 16:30:27,vm,evil",
	    "20261327 16:30:27,vm,maria,h,5,6,CONNECT,,,0",
	    "20260230 16:30:27,vm,maria,h,5,6,CONNECT,,,0",
	    "20261127 25:30:27,vm,maria,h,5,6,CONNECT,,,0",
	    "20261127 16:30:27,vm,a,b,localhost,7,0,FAILED_CONNECT,,,1045",
	    BEGIN "QUERY,shop,'SELECT 1",
	    BEGIN "QUERY,shop,'SELECT 1',",
	    BEGIN "QUERY,shop,'SELECT 1\\',0",
	    BEGIN "QUERY,shop,'SELECT 1',0 and more",
	    BEGIN "CONNECT,",
	    "z,localhost,6,0,FAILED_CONNECT,,,1045",
	};
	struct rbac_line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_false(rbac_line_parse(str_from(lines[i]), &l));
	assert_true(rbac_line_is_scrubbed(str_from("20261127 16:30:27,*****")));
	assert_false(rbac_line_is_scrubbed(str_from("20261127 16:30:27,****x")));
}

static void values_and_comments_go(void **state)
{
	(void)state;
	assert_kept("SELECT * FROM t WHERE a = 'ann@x.com' AND b = 12.5e3 OR c = 0xAB",
		    "SELECT * FROM t WHERE a = ? AND b = ? OR c = ?");
	assert_kept("INSERT INTO t VALUES ('it''s', \"say \"\"no\"\"\", x'4142', -5)",
		    "INSERT INTO t VALUES (?, ?, x?, -?)");
	assert_kept("SELECT a -- ann\n,b /* ann */,c # ann", "SELECT a ,b ,c ");
	assert_kept("SELECT a--1", "SELECT a--?");
	assert_kept("SELECT `col_1`, `ann@x.com`, `we'ird`", "SELECT `col_1`, ?, ?");
	assert_kept("SELECT\t\t a,\n b", "SELECT a, b");
}

static void what_may_be_read_in_two_ways_ends_the_text(void **state)
{
	(void)state;
	assert_kept("SELECT 'a\\' OR secret -- '", "SELECT  ?");
	assert_kept("SELECT 'a\\n\\\\' , b", "SELECT ? , b"); /* the same in every mode */
	assert_kept("SELECT /*!50000 secret */ 1", "SELECT  ?");
	assert_kept("SELECT /*M! secret */ 1", "SELECT  ?");
	assert_kept("SELECT 'cut off", "SELECT  ?");
	assert_kept("SELECT 1 /* cut off", "SELECT ?  ?");
	assert_kept("SELECT \xbf\x5c' secret'", "SELECT  ?");
	assert_kept("SELECT M\xc3\xbcller", "SELECT M ?");
}

/* What is cut off may be anything: nobody takes it for a mere setting. */
static void a_text_that_ends_early_says_so(void **state)
{
	static const char *const whole[] = {"", "COMMIT", "SET @a = 'x', @b = 2",
					    "SELECT 1 -- all"};
	static const char *const cut[] = {"SET @a = '\\', @b = 1", "SET @a = 1 /*! , @b = 2 */",
					  "SET @a = 'cut off", "SET PASSWORD = geheim"};
	static const char *const lines[] = {BEGIN "QUERY,shop,'SET @a = \\'x\\'',0",
					    BEGIN "READ,shop,Customers,",
					    BEGIN "QUERY,shop,'SET @a = \\'\\\\\\', @b = 1',0"};
	struct strbuf b = STRBUF_INIT(0);
	struct rbac_line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		assert_true(rbac_statement_without_literals(str_from(whole[i]), &b));
	for (size_t i = 0; i < ARRAY_LEN(cut); i++)
		assert_false(rbac_statement_without_literals(str_from(cut[i]), &b));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_true(rbac_line_parse(str_from(lines[i]), &l));
		assert_int_equal(rbac_line_statement(&l, &b), i < 2);
	}
	strbuf_done(&b);
}

static void passwords_never_appear(void **state)
{
	static const char *const statements[] = {
	    "CREATE USER a IDENTIFIED BY 'geheim'",
	    "CREATE USER a IDENTIFIED BY geheim",
	    "ALTER USER a identified via ed25519 using password('geheim')",
	    "SET PASSWORD = geheim",
	    "SET PASSWORD FOR a = PASSWORD(\"geheim\")",
	    "CHANGE MASTER TO MASTER_PASSWORD=geheim",
	    "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD 'geheim'",
	    "SELECT AES_ENCRYPT(geheim)",
	    "SELECT OLD_PASSWORD(geheim",
	};
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		strbuf_clear(&b);
		rbac_statement_without_literals(str_from(statements[i]), &b);
		assert_null(strstr(strbuf_str(&b), "geheim"));
		assert_true(b.len > 0);
	}
	strbuf_done(&b);
}

static void a_statement_is_read_as_the_plugin_escaped_it(void **state)
{
	(void)state;
	assert_statement(BEGIN "QUERY,shop,'SELECT \\'a\\', b -- ann\\n, c',0", "SELECT ?, b , c");
	assert_statement(BEGIN "QUERY,shop,'INSERT INTO t VALUES (\\'O\\\\\\'Brien\\')',0",
			 "INSERT INTO t VALUES ( ?");
	assert_statement(BEGIN "QUERY,shop,'SELECT email FROM Customers',1142",
			 "SELECT email FROM Customers");
	assert_statement(BEGIN "QUERY,shop,'SELECT ann at home',1064", "SELECT");
	assert_statement(BEGIN "QUERY,shop,'12 ann',1064", "");
	assert_statement(BEGIN "READ,shop,Customers,", "");
}

static void what_only_steers_a_connection_is_noise(void **state)
{
	static const char *const noise[] = {
	    "COMMIT",
	    "begin",
	    " START TRANSACTION ",
	    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
	    "ROLLBACK",
	    "SAVEPOINT here",
	    "ROLLBACK TO here",
	    "ROLLBACK TO SAVEPOINT here",
	    "RELEASE SAVEPOINT here",
	    "SET NAMES utf8mb4",
	    "SET AUTOCOMMIT = ?",
	    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	    "SET time_zone = ?",
	    "SET @stock_reason = NULL",
	    "SET @a := ?",
	};
	static const char *const kept[] = {
	    "",
	    "SELECT ?",
	    "COMMIT ?",
	    "BEGIN NOT ATOMIC DELETE FROM t; END",
	    "SET",
	    "SET PASSWORD ?",
	    "SET ROLE db_admin",
	    "SET DEFAULT ROLE db_admin",
	    "SET GLOBAL max_connections = ?",
	    "SET GLOBAL TRANSACTION READ ONLY",
	    "SET @@global.max_connections = ?",
	    "SET @@session.sql_log_bin = ?",
	    "SET sql_log_bin = ?",
	    "SET timestamp = ?",
	    "SET insert_id = ?",
	    "SET last_insert_id = ?",
	    "SET SESSION sql_log_bin = ?",
	    "SET @a = ?, GLOBAL max_connections = ?",
	    "SET @a = (SELECT email FROM Customers)",
	    "SET STATEMENT max_statement_time = ? FOR SELECT ?",
	    "SAVEPOINT",
	    "SAVEPOINT a b",
	    "RELEASE",
	    "KILL ?",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(noise); i++)
		assert_true(rbac_statement_is_noise(str_from(noise[i])));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_false(rbac_statement_is_noise(str_from(kept[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_of_each_kind_is_read),
	    cmocka_unit_test(what_fits_no_form_is_not_guessed_at),
	    cmocka_unit_test(values_and_comments_go),
	    cmocka_unit_test(what_may_be_read_in_two_ways_ends_the_text),
	    cmocka_unit_test(a_text_that_ends_early_says_so),
	    cmocka_unit_test(passwords_never_appear),
	    cmocka_unit_test(a_statement_is_read_as_the_plugin_escaped_it),
	    cmocka_unit_test(what_only_steers_a_connection_is_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
