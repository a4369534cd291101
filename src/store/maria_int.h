/* Insides of a MariaDB connection, shared by maria.c (connection), maria_rows.c (results) and
 * maria_script.c (scripts, LOAD DATA). */
#pragma once

#include "base/mem.h"
#include "store/maria.h"

#include <mysql.h>

struct maria_column {
	unsigned long length;
	my_bool is_null, is_cut;
};

/* A prepared statement in the connection's cache, with the buffers of its result's columns. */
struct maria_statement {
	uint64_t hash;
	uint64_t used; /* tick of the last use */
	char *sql;
	MYSQL_STMT *handle;
	size_t n_columns;
	MYSQL_BIND *results;
	struct maria_column *columns;
};

struct maria_rows {
	struct maria *conn;
	struct maria_statement *statement; /* prepared; NULL: text protocol */
	MYSQL_RES *result;		   /* text protocol */
	MYSQL_ROW row;
	unsigned long *lengths;
	size_t n_columns;
	bool is_open, is_at_end;
};

struct maria {
	struct arena arena; /* options */
	struct maria_options options;
	size_t n_hosts;
	struct maria_host *hosts;
	MYSQL *handle; /* NULL while not connected */
	bool is_lost;
	struct maria_refusal refusal; /* of the last error; an empty state: it was none */
	char *where;		      /* host:port or socket of the connection */
	uint64_t tick;
	size_t n_statements;
	struct maria_statement statements[MARIA_STATEMENTS_MAX];
	struct maria_rows rows; /* one result at a time */
	maria_fill_fn fill;	/* while a LOAD DATA runs, else NULL */
	void *fill_arg;
	bool fill_failed;
};

/* Classifies the handle's or statement's last error, notes a lost connection. Returns -class. */
int maria_fail(struct maria *m, unsigned code, const char *text, struct err *err);
int maria_fail_handle(struct maria *m, struct err *err);
int maria_fail_statement(struct maria *m, MYSQL_STMT *handle, struct err *err);

/* The cached statement for this text with parameters bound, executed. */
int maria_execute(struct maria *m, const char *sql, const struct maria_value *params,
		  size_t n_params, struct maria_statement **ret, struct err *err) _must_check_;
/* Reads and drops what is left; a CALL has its status behind its rows. */
void maria_drop_results(struct maria_statement *s);
/* ERR_UNAVAILABLE when not connected; a result left open is a bug. */
int maria_check_usable(struct maria *m, struct err *err) _must_check_;
