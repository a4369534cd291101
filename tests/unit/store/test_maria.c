/* MariaDB without a server: hosts, classes of errors, no values in messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/maria_int.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include "base/banned.h"

static void hosts_have_a_name_and_a_port(void **state)
{
	static const struct {
		const char *text, *name;
		unsigned port;
	} cases[] = {
	    {"db", "db", 3306},
	    {"db.example.org:3307", "db.example.org", 3307},
	    {"10.0.0.1:1", "10.0.0.1", 1},
	    {"[::1]", "::1", 3306},
	    {"[::1]:3308", "::1", 3308},
	    {"fe80::1", "fe80::1", 3306}, /* more than one colon: an address without port */
	    {"db:65535", "db", 65535},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct maria_host host = {0};
		struct err err = {0};

		assert_int_equal(maria_parse_host(cases[i].text, 0, &arena, &host, &err), 0);
		assert_string_equal(host.name, cases[i].name);
		assert_int_equal(host.port, cases[i].port);
	}
	arena_done(&arena);
}

static void the_port_of_the_options_stands_in(void **state)
{
	struct arena arena = {0};
	struct maria_host host = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(maria_parse_host("db", 4000, &arena, &host, &err), 0);
	assert_int_equal(host.port, 4000);
	assert_int_equal(maria_parse_host("db:3307", 4000, &arena, &host, &err), 0);
	assert_int_equal(host.port, 3307);
	arena_done(&arena);
}

static void what_is_no_host_is_refused(void **state)
{
	static const char *const cases[] = {"",		":3306", "[]",	   "[::1",   "[::1]x",
					    "db:",	"db:0",	 "db:x",   "db:1 ",  "db:-1",
					    "db:65536", "[]:1",	 "[::1]:", "[::1]:0"};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct maria_host host = {.name = "untouched"};
		struct err err = {0};

		assert_int_equal(maria_parse_host(cases[i], 0, &arena, &host, &err),
				 -ERR_INVALID_ARGUMENT);
		assert_string_equal(host.name, "untouched");
		assert_true(err.message[0]);
	}
	arena_done(&arena);
}

static void opening_needs_a_host_or_a_socket(void **state)
{
	struct maria_options options = {.user = "nobody"};
	struct maria *m = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(maria_open(&options, &m, &err), -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, "neither a host nor a socket of MariaDB is known");
	options.socket = "/nonexistent/socket";
	assert_int_equal(maria_open(&options, &m, &err), -ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "MariaDB at /nonexistent/socket: "));
	assert_null(m);
}

/* What maria_fail() makes of an error: class, number, message, whether the connection is lost. */
static struct err fail_with(unsigned code, const char *text, bool *ret_lost)
{
	struct maria m = {0};
	char where[] = "db:3306";
	struct err err = {0};
	int r;

	m.where = where;
	r = maria_fail(&m, code, text, &err);
	assert_int_equal(r, -(int)err.code);
	assert_int_equal(err.native, code);
	if (ret_lost)
		*ret_lost = maria_is_lost(&m);
	return err;
}

static void errors_have_the_class_that_decides_what_to_do(void **state)
{
	static const struct {
		unsigned code;
		enum err_code class;
		bool is_lost;
	} cases[] = {
	    {ER_LOCK_DEADLOCK, ERR_RETRY, false}, /* also Galera's certification failure */
	    {ER_CHECKREAD, ERR_RETRY, false},
	    {ER_ERROR_DURING_COMMIT, ERR_RETRY, false},
	    {ER_LOCK_WAIT_TIMEOUT, ERR_TIMEOUT, false},
	    {1969, ERR_TIMEOUT, false}, /* max_statement_time */
	    {CR_CONNECTION_ERROR, ERR_UNAVAILABLE, true},
	    {CR_CONN_HOST_ERROR, ERR_UNAVAILABLE, true},
	    {CR_SERVER_GONE_ERROR, ERR_UNAVAILABLE, true},
	    {CR_SERVER_LOST, ERR_UNAVAILABLE, true},
	    {ER_SERVER_SHUTDOWN, ERR_UNAVAILABLE, true},
	    {1927, ERR_UNAVAILABLE, true}, /* killed */
	    {CR_UNKNOWN_ERROR, ERR_UNAVAILABLE, false},
	    {ER_CON_COUNT_ERROR, ERR_UNAVAILABLE, false},
	    {ER_UNKNOWN_COM_ERROR, ERR_UNAVAILABLE, true}, /* Galera: not ready; try another host */
	    {ER_OPTION_PREVENTS_STATEMENT, ERR_UNAVAILABLE, true}, /* read only */
	    {ER_NET_PACKET_TOO_LARGE, ERR_LIMIT, false},
	    {ER_DISK_FULL, ERR_UNAVAILABLE, false},
	    {ER_ACCESS_DENIED_ERROR, ERR_PERMISSION, false},
	    {ER_TABLEACCESS_DENIED_ERROR, ERR_PERMISSION, false},
	    {ER_BAD_DB_ERROR, ERR_NOT_FOUND, false},
	    {ER_NO_SUCH_TABLE, ERR_NOT_FOUND, false},
	    {ER_DUP_ENTRY, ERR_CONFLICT, false},
	    {ER_ROW_IS_REFERENCED_2, ERR_CONFLICT, false},
	    {ER_PARSE_ERROR, ERR_INVALID_ARGUMENT, false},
	    {ER_BAD_NULL_ERROR, ERR_INVALID_ARGUMENT, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is_lost;
		struct err err = fail_with(cases[i].code, "text", &is_lost);

		if (err.code != cases[i].class || is_lost != cases[i].is_lost)
			fail_msg("%u: %s, %s", cases[i].code, err_name((int)err.code),
				 is_lost ? "lost" : "usable");
	}
}

static void a_message_names_the_server_the_reason_and_the_number(void **state)
{
	(void)state;
	assert_string_equal(fail_with(ER_NO_SUCH_TABLE, "Table 'a.b' doesn't exist", NULL).message,
			    "MariaDB at db:3306: Table 'a.b' doesn't exist (1146)");
	assert_string_equal(fail_with(ER_PARSE_ERROR, "", NULL).message,
			    "MariaDB at db:3306: no reason given (1064)");
}

static void values_are_taken_out_of_messages(void **state)
{
	static const struct {
		unsigned code;
		const char *text, *wanted;
	} cases[] = {
	    {ER_DUP_ENTRY, "Duplicate entry 'secret' for key 'PRIMARY'",
	     "Duplicate entry (value) for key 'PRIMARY'"},
	    {ER_DUP_ENTRY, "Duplicate entry 'it's secret' for key 'PRIMARY'",
	     "Duplicate entry (value) for key 'PRIMARY'"},
	    {ER_DUP_ENTRY, "Duplicate entry 'secret' for secret' for key 'uq'",
	     "Duplicate entry (value) for key 'uq'"},
	    {ER_DUP_ENTRY_WITH_KEY_NAME, "Duplicate entry '' for key 'uq'",
	     "Duplicate entry (value) for key 'uq'"},
	    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD,
	     "Incorrect integer value: 'secret' for column `a`.`b`.`c` at row 1",
	     "Incorrect integer value: (value) for column `a`.`b`.`c` at row 1"},
	    {ER_TRUNCATED_WRONG_VALUE, "Truncated incorrect DOUBLE value: 'secret'",
	     "Truncated incorrect DOUBLE value: (value)"},
	    {ER_WRONG_VALUE_FOR_TYPE, "Incorrect datetime value: 'secret' for function str_to_date",
	     "Incorrect datetime value: (value) for function str_to_date"},
	    {ER_INVALID_CHARACTER_STRING, "Invalid utf8mb4 character string: 'secret'",
	     "Invalid utf8mb4 character string: (value)"},
	    {ER_WRONG_VALUE, "Incorrect DATETIME value: 'secret'",
	     "Incorrect DATETIME value: (value)"},
	    {ER_DATA_OUT_OF_RANGE, "BIGINT value is out of range in '`a`.`b` - 4711'",
	     "BIGINT value is out of range in (value)"},
	    /* cut by the server before the value's end */
	    {ER_DUP_ENTRY, "Duplicate entry 'secret", "Duplicate entry (value)"},
	    {ER_DUP_ENTRY, "Duplicate entry 'it's sec", "Duplicate entry (value)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = fail_with(cases[i].code, cases[i].text, NULL);
		_cleanup_(mem_freep) char *wanted =
		    mem_printf("MariaDB at db:3306: %s (%u)", cases[i].wanted, cases[i].code);

		assert_string_equal(err.message, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_have_a_name_and_a_port),
	    cmocka_unit_test(the_port_of_the_options_stands_in),
	    cmocka_unit_test(what_is_no_host_is_refused),
	    cmocka_unit_test(opening_needs_a_host_or_a_socket),
	    cmocka_unit_test(errors_have_the_class_that_decides_what_to_do),
	    cmocka_unit_test(a_message_names_the_server_the_reason_and_the_number),
	    cmocka_unit_test(values_are_taken_out_of_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
