/*
 * A connection to MariaDB: failover over a list of hosts, sessions set up the same everywhere
 * (utf8mb4, time zone +00:00, strict mode, autocommit), statements with bound parameters, rows as
 * text slices, and errors sorted into classes.
 *
 * A connection belongs to one thread. After an error for which maria_is_lost() holds, every
 * transaction on it is gone; maria_reconnect() makes it usable again (perhaps on another host).
 *
 * Error classes: ERR_UNAVAILABLE (connection refused or lost, server going away, read-only or not a
 * primary, Galera not ready, too many connections), ERR_TIMEOUT (lock wait or statement time-out),
 * ERR_RETRY (deadlock, certification failure, record changed), ERR_PERMISSION, ERR_NOT_FOUND
 * (unknown database, table), ERR_CONFLICT (duplicate key), ERR_INVALID_ARGUMENT (the rest).
 * err->native is the server's error number. Messages never contain parameter values; server texts
 * that quote values (duplicate entry) are replaced.
 */
#pragma once

#include "base/strbuf.h"

struct arena;
struct maria;
struct maria_rows;

struct maria_options {
	const char *const *hosts; /* "host", "host:port", "[::1]:3306"; NULL: `socket` */
	const char *socket;
	unsigned port; /* where a host names none; 0: 3306 */
	const char *user;
	const char *password; /* NULL: none */
	const char *database; /* NULL: none selected */
	bool tls;	      /* required and verified when set */
	const char *tls_ca;   /* file; NULL: system */
	const char *tls_cert, *tls_key;
	unsigned connect_timeout_s; /* 0: 5 */
	unsigned read_timeout_s;    /* 0: 60 */
	unsigned lock_wait_s;	    /* of rows and of tables; 0: as the server has it */
};

/*
 * One of `hosts`: "host", "host:port", "[::1]:port", a bare IPv6 address. `default_port` (0: 3306)
 * stands in where the text names none. The name goes to the arena.
 */
struct maria_host {
	const char *name;
	unsigned port;
};
int maria_parse_host(const char *text, unsigned default_port, struct arena *arena,
		     struct maria_host *ret, struct err *err) _must_check_;

/* Texts are copied. The first host that answers is used. */
int maria_open(const struct maria_options *options, struct maria **ret, struct err *err)
    _must_check_;
struct maria *maria_close(struct maria *m);
DEFINE_CLEANUP(struct maria *, maria_close)
int maria_reconnect(struct maria *m, struct err *err) _must_check_;
bool maria_is_lost(const struct maria *m);
const char *maria_host(const struct maria *m); /* "host:port" or the socket's path; borrowed */
const char *maria_server_version(const struct maria *m);

/* What a procedure or a trigger refused the last failed statement with (SIGNAL); NULL: it failed
 * for another reason. Borrowed until the next error. */
struct maria_refusal {
	char state[6];	/* SQLSTATE */
	char text[513]; /* as long as the server lets it be */
};
const struct maria_refusal *maria_refusal(const struct maria *m);

/* A bound parameter. Text and bytes are borrowed for the call. */
enum maria_type { MARIA_NULL, MARIA_INT, MARIA_UINT, MARIA_TEXT, MARIA_BYTES };
struct maria_value {
	enum maria_type type;
	union {
		int64_t i;
		uint64_t u;
		struct str s;
	};
};
#define MARIA_I(x) ((struct maria_value){.type = MARIA_INT, .i = (x)})
#define MARIA_U(x) ((struct maria_value){.type = MARIA_UINT, .u = (x)})
#define MARIA_S(x) \
	((struct maria_value){.type = MARIA_TEXT, .s = str_from(x)})	   /* C string, not NULL */
#define MARIA_STR(x) ((struct maria_value){.type = MARIA_TEXT, .s = (x)})  /* struct str */
#define MARIA_B(x)   ((struct maria_value){.type = MARIA_BYTES, .s = (x)}) /* struct str */
#define MARIA_N	     ((struct maria_value){.type = MARIA_NULL})

/* `params, n_params` of a call: MARIA_ARGS(MARIA_U(id), MARIA_S(name)). */
#define MARIA_ARGS(...)                            \
	(const struct maria_value[]){__VA_ARGS__}, \
	    sizeof((const struct maria_value[]){__VA_ARGS__}) / sizeof(struct maria_value)

/*
 * Runs a statement without result (or drops the result). ret_affected may be NULL. Statements with
 * parameters are prepared once per connection and cached by their text.
 */
int maria_run(struct maria *m, const char *sql, const struct maria_value *params, size_t n_params,
	      uint64_t *ret_affected, struct err *err) _must_check_;

/* The same without parameters and without preparing: for BEGIN, COMMIT, DDL, KILL. */
int maria_exec(struct maria *m, const char *sql, struct err *err) _must_check_;

/* The end of a transaction of which `r` is the result: COMMIT, or when that or what was before
 * failed, ROLLBACK, whose own failure is not told. Gives the result of all. */
int maria_finish(struct maria *m, int r, struct err *err) _must_check_;

/* BEGIN at REPEATABLE READ with a consistent snapshot, read only, whatever the session's level. */
int maria_snapshot_begin(struct maria *m, struct err *err) _must_check_;
int maria_snapshot_end(struct maria *m, struct err *err) _must_check_;

/* Runs each statement of a script; `delimiter` lines as in the client are understood. Errors name
 * `name` and the line in it. Stops at the first error. */
int maria_script(struct maria *m, const char *name, const char *text, struct err *err) _must_check_;

/* The statements of such a script one by one, without running them; stops when fn fails. */
typedef int (*maria_statement_fn)(void *arg, struct str statement, size_t line, struct err *err);
int maria_script_split(const char *text, maria_statement_fn fn, void *arg, struct err *err)
    _must_check_;

/*
 * Runs a query. Rows come in text form whatever their type (numbers in decimal, times as
 * "2026-11-23 03:09:24.000000", binary columns as their bytes) and are streamed: until
 * maria_rows_close() nothing else may run on the connection. The SQL text is cached with its
 * prepared statement (at most MARIA_STATEMENTS_MAX, least recently used goes). Of a CALL with
 * parameters the rows are those of its first result, of which there must be one.
 */
#define MARIA_STATEMENTS_MAX 256
int maria_query(struct maria *m, const char *sql, const struct maria_value *params, size_t n_params,
		struct maria_rows **ret, struct err *err) _must_check_;
/* 1 row, 0 end, < 0 error. */
int maria_rows_next(struct maria_rows *r, struct err *err) _must_check_;
/* data == NULL when SQL NULL; always NUL-terminated besides; valid until the next row. */
struct str maria_rows_str(const struct maria_rows *r, size_t column);
int64_t maria_rows_int(const struct maria_rows *r, size_t column);   /* 0 when NULL or no number */
uint64_t maria_rows_uint(const struct maria_rows *r, size_t column); /* likewise */
struct maria_rows *maria_rows_close(struct maria_rows *r); /* reads and drops what is left */
DEFINE_CLEANUP(struct maria_rows *, maria_rows_close)

/* The same, and its first row: 1 row, 0 there is none, < 0 error. The caller closes *ret. */
int maria_query_row(struct maria *m, const char *sql, const struct maria_value *params,
		    size_t n_params, struct maria_rows **ret, struct err *err) _must_check_;
/* First column of the first row; ERR_NOT_FOUND without a row. NULL reads as 0 / NULL. */
int maria_query_int(struct maria *m, const char *sql, const struct maria_value *params,
		    size_t n_params, int64_t *ret, struct err *err) _must_check_;
/* The caller owns the text. */
int maria_query_text(struct maria *m, const char *sql, const struct maria_value *params,
		     size_t n_params, char **ret, struct err *err) _must_check_;

/* --- server, account, database (maria_admin.c) ------------------------------------------------ */

/* The selected database, NULL: none. The caller owns the text. */
int maria_database(struct maria *m, char **ret, struct err *err) _must_check_;
int maria_is_read_only(struct maria *m, bool *ret, struct err *err) _must_check_;
/* For how long statements of this connection wait for rows and tables that others have locked, then
 * ERR_TIMEOUT; reconnecting keeps it (struct maria_options, lock_wait_s). */
int maria_set_lock_wait(struct maria *m, unsigned seconds, struct err *err) _must_check_;
/* innodb_flush_log_at_trx_commit: with other values than 1 a crash loses commits. */
int maria_flush_log(struct maria *m, int64_t *ret, struct err *err) _must_check_;
/* Whether our account has a right ("SELECT") on the server or the selected database; rights that
 * come by a role are not seen. */
int maria_has_right(struct maria *m, const char *right, bool *ret, struct err *err) _must_check_;
/* A table or view of the selected database. */
int maria_has_table(struct maria *m, const char *name, bool *ret, struct err *err) _must_check_;
int maria_count_rows(struct maria *m, const char *table, int64_t *ret, struct err *err)
    _must_check_;
/* Unless there is one of that name. */
int maria_make_database(struct maria *m, const char *name, const char *collation, struct err *err)
    _must_check_;

/* --- text of statements ----------------------------------------------------------------------- */

/* Appends `name` in backquotes, backquotes doubled. This and MARIA_ADD(), which uses it, are the
 * only ways an identifier gets into SQL. */
void maria_add_identifier(struct strbuf *b, const char *name);
/* Appends `text`, a name in it for each '#': MARIA_ADD(&b, "SELECT # FROM #", column, table). */
#define MARIA_ADD(b, text, ...)                                      \
	maria_add_names(b, text, (const char *const[]){__VA_ARGS__}, \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void maria_add_names(struct strbuf *b, const char *text, const char *const *names, size_t n);
/* Appends a text literal in quotes: for DDL (comments, triggers), which takes no parameters. */
void maria_add_literal(struct strbuf *b, struct str text);

/* Appends a line "GRANT rights ON database.table TO user@'%';"; table NULL: all. */
void maria_add_grant(struct strbuf *b, const char *rights, const char *database, const char *table,
		     const char *user);

/* LOAD DATA LOCAL from memory: `fill` writes up to `size` bytes and returns how many, 0 at the end,
 * < 0 to give up. `sql` is a complete LOAD DATA LOCAL INFILE statement; the file name in it is
 * ignored, nothing is ever read from disk. */
typedef int (*maria_fill_fn)(void *arg, char *buf, size_t size);
int maria_load_data(struct maria *m, const char *sql, maria_fill_fn fill, void *arg,
		    uint64_t *ret_rows, struct err *err) _must_check_;
