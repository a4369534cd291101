/*
 * Connections to MariaDB: opening with failover, sessions, error classes, statements.
 *
 * Prepared statements are cached per connection by their text, in an array that is searched by
 * hash: a connection runs a few dozen texts, and a scan of 256 numbers costs less than a round trip
 * by three orders of magnitude. When it is full the least recently used one goes.
 *
 * The server may ask for any local file when LOAD DATA LOCAL is possible. Our handlers are
 * therefore installed on every connection and answer only while maria_load_data() runs, from
 * memory.
 */
#include "store/maria_int.h"

#include "base/map.h"
#include "store/store_sql_int.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>

#include "base/banned.h"

/* Session state that everything relies on, whatever the server's own settings are. */
#define LOCK_WAIT_SQL "SET SESSION innodb_lock_wait_timeout = %u, lock_wait_timeout = %u"

static const char session_sql[] =
    "SET time_zone = '+00:00', autocommit = 1, group_concat_max_len = 1048576, join_cache_level = "
    "2,"
    " sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    " character_set_results = utf8mb4, collation_connection = utf8mb4_general_ci";

/* Server error numbers that are not in this client's headers. */
enum {
	ER_LOCAL_STATEMENT_TIMEOUT = 1969,
	ER_LOCAL_CONNECTION_KILLED = 1927,
	ER_LOCAL_READ_ONLY = 1836
};

static const struct {
	unsigned number;
	enum err_code class;
} classes[] = {
    {ER_LOCK_DEADLOCK, ERR_RETRY},
    {ER_CHECKREAD, ERR_RETRY}, /* row changed since it was read, under snapshot isolation */
    {ER_ERROR_DURING_COMMIT, ERR_RETRY},
    {ER_QUERY_INTERRUPTED, ERR_RETRY}, /* KILL QUERY: what it did may be committed */
    {ER_TABLE_DEF_CHANGED, ERR_RETRY}, /* altered since the snapshot was opened */
    {ER_LOCK_WAIT_TIMEOUT, ERR_TIMEOUT},
    {ER_LOCAL_STATEMENT_TIMEOUT, ERR_TIMEOUT},
    {ER_CON_COUNT_ERROR, ERR_UNAVAILABLE},
    {ER_TOO_MANY_USER_CONNECTIONS, ERR_UNAVAILABLE},
    {ER_USER_LIMIT_REACHED, ERR_UNAVAILABLE},
    {ER_UNKNOWN_COM_ERROR, ERR_UNAVAILABLE}, /* 1047: a Galera node that is not ready */
    {ER_SERVER_SHUTDOWN, ERR_UNAVAILABLE},
    {ER_NORMAL_SHUTDOWN, ERR_UNAVAILABLE},
    {ER_ABORTING_CONNECTION, ERR_UNAVAILABLE},
    {ER_NEW_ABORTING_CONNECTION, ERR_UNAVAILABLE},
    {ER_NET_READ_ERROR, ERR_UNAVAILABLE},
    {ER_NET_READ_INTERRUPTED, ERR_UNAVAILABLE},
    {ER_NET_ERROR_ON_WRITE, ERR_UNAVAILABLE},
    {ER_NET_WRITE_INTERRUPTED, ERR_UNAVAILABLE},
    {ER_OPTION_PREVENTS_STATEMENT, ERR_UNAVAILABLE}, /* --read-only: not the primary any more */
    {ER_LOCAL_READ_ONLY, ERR_UNAVAILABLE},
    {ER_LOCAL_CONNECTION_KILLED, ERR_UNAVAILABLE},
    {ER_HOST_IS_BLOCKED, ERR_UNAVAILABLE},
    {ER_CANT_CREATE_THREAD, ERR_UNAVAILABLE},
    {ER_OUT_OF_RESOURCES, ERR_UNAVAILABLE},
    {ER_GET_ERRNO, ERR_UNAVAILABLE}, /* 1030: the storage engine has no room */
    {ER_DISK_FULL, ERR_UNAVAILABLE},
    {ER_RECORD_FILE_FULL, ERR_UNAVAILABLE},
    {ER_NET_PACKET_TOO_LARGE, ERR_LIMIT},
    {CR_NET_PACKET_TOO_LARGE, ERR_LIMIT},
    {ER_DBACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_ACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_TABLEACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_COLUMNACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_PROCACCESS_DENIED_ERROR, ERR_PERMISSION},
    {ER_CANT_CREATE_USER_WITH_GRANT, ERR_PERMISSION},
    {ER_BAD_DB_ERROR, ERR_NOT_FOUND},
    {ER_NO_SUCH_TABLE, ERR_NOT_FOUND},
    {ER_BAD_FIELD_ERROR, ERR_NOT_FOUND},
    {ER_SP_DOES_NOT_EXIST, ERR_NOT_FOUND},
    {ER_TRG_DOES_NOT_EXIST, ERR_NOT_FOUND},
    {ER_DUP_ENTRY, ERR_CONFLICT},
    {ER_DUP_ENTRY_WITH_KEY_NAME, ERR_CONFLICT},
    {ER_DUP_KEY, ERR_CONFLICT},
    {ER_NO_REFERENCED_ROW_2, ERR_CONFLICT},
    {ER_ROW_IS_REFERENCED_2, ERR_CONFLICT},
};

static enum err_code class_of(unsigned number)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (classes[i].number == number)
			return classes[i].class;
	}
	return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR ? ERR_UNAVAILABLE
								: ERR_INVALID_ARGUMENT;
}

/* Client errors that leave the connection usable: misuse of a statement, not the network. */
static bool is_connection_gone(unsigned code)
{
	return code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST ||
	       code == CR_MALFORMED_PACKET || code == CR_COMMANDS_OUT_OF_SYNC ||
	       code == ER_LOCAL_CONNECTION_KILLED || code == ER_SERVER_SHUTDOWN ||
	       code == ER_NORMAL_SHUTDOWN || code == CR_CONNECTION_ERROR ||
	       code == ER_UNKNOWN_COM_ERROR || code == ER_OPTION_PREVENTS_STATEMENT ||
	       code == ER_LOCAL_READ_ONLY || code == CR_CONN_HOST_ERROR ||
	       code == CR_UNKNOWN_HOST || code == CR_SERVER_LOST_EXTENDED;
}

/*
 * Server texts that quote a value ("Duplicate entry 'x' for key 'y'", "Incorrect integer value: 'x'
 * for column 'c'"): the value is replaced, the rest stays.
 */
static void add_without_value(struct strbuf *b, unsigned code, const char *text)
{
	const char *from, *to = NULL;

	switch (code) {
	case ER_DUP_ENTRY:
	case ER_DUP_ENTRY_WITH_KEY_NAME:
	case ER_TRUNCATED_WRONG_VALUE:
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
	case ER_WRONG_VALUE_FOR_TYPE:
	case ER_INVALID_CHARACTER_STRING:
	case ER_WRONG_VALUE:
	case ER_DATA_OUT_OF_RANGE:
		break;
	default:
		strbuf_addstr(b, text);
		return;
	}
	from = strchr(text, '\'');
	for (const char *p = from; p && (p = strstr(p + 1, "' for "));)
		to = p + 1;
	if (!from) {
		strbuf_addstr(b, text);
		return;
	}
	if (!to) /* the value is the text's end, perhaps cut by the server */
		to = text + strlen(text);
	strbuf_add(b, text, (size_t)(from - text));
	strbuf_addstr(b, "(value)");
	strbuf_addstr(b, to);
}

int maria_fail(struct maria *m, unsigned code, const char *text, struct err *err)
{
	struct strbuf b = STRBUF_INIT(ERR_MESSAGE_MAX);
	int r;

	if (is_connection_gone(code))
		m->is_lost = true;
	m->refusal.state[0] = '\0';
	if (code == ER_SIGNAL_EXCEPTION && m->handle) {
		(void)snprintf(m->refusal.state, sizeof(m->refusal.state), "%s",
			       mysql_sqlstate(m->handle));
		(void)snprintf(m->refusal.text, sizeof(m->refusal.text), "%s", text);
	}
	add_without_value(&b, code, text && text[0] ? text : "no reason given");
	r = err_set(err, class_of(code), "MariaDB at %s: %s (%u)", m->where ? m->where : "(none)",
		    strbuf_str(&b), code);
	strbuf_done(&b);
	if (err)
		err->native = (int)code;
	if (code == CR_SERVER_LOST)
		(void)err_hint(err,
			       "it ended, or gave no answer in time: see whether its disk is full");
	return r;
}

const struct maria_refusal *maria_refusal(const struct maria *m)
{
	return m->refusal.state[0] ? &m->refusal : NULL;
}

int maria_fail_handle(struct maria *m, struct err *err)
{
	return maria_fail(m, mysql_errno(m->handle), mysql_error(m->handle), err);
}

int maria_fail_statement(struct maria *m, MYSQL_STMT *handle, struct err *err)
{
	unsigned code = mysql_stmt_errno(handle);

	/* The client library leaves the error of a row that the server could not make, after the
	 * first ones, at the connection alone. */
	return code ? maria_fail(m, code, mysql_stmt_error(handle), err)
		    : maria_fail_handle(m, err);
}

/* --- opening --------------------------------------------------------------------------------- */

static int local_init(void **ptr, const char *file, void *arg)
{
	struct maria *m = arg;

	(void)file;
	*ptr = m;
	return m->fill ? 0 : 1;
}

static int local_read(void *ptr, char *buf, unsigned int size)
{
	struct maria *m = ptr;
	int n = m->fill(m->fill_arg, buf, size);

	if (n < 0)
		m->fill_failed = true;
	return n;
}

static void local_end(void *ptr)
{
	(void)ptr;
}

static int local_error(void *ptr, char *buf, unsigned int size)
{
	(void)ptr;
	snprintf(buf, size, "no local file is read on this connection");
	return CR_UNKNOWN_ERROR;
}

static MYSQL *handle_new(struct maria *m, bool by_tcp)
{
	const struct maria_options *o = &m->options;
	MYSQL *h = mysql_init(NULL);
	unsigned connect_s = o->connect_timeout_s ? o->connect_timeout_s : 5;
	unsigned read_s = o->read_timeout_s ? o->read_timeout_s : 60;
	char sql[128];
	unsigned on = 1;
	my_bool yes = 1, no = 0;

	bug_if(!h);
	mysql_optionsv(h, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_optionsv(h, MYSQL_OPT_READ_TIMEOUT, &read_s);
	mysql_optionsv(h, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
	mysql_optionsv(h, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_optionsv(h, MYSQL_INIT_COMMAND, session_sql);
	if (o->lock_wait_s) {
		(void)snprintf(sql, sizeof(sql), LOCK_WAIT_SQL, o->lock_wait_s, o->lock_wait_s);
		mysql_optionsv(h, MYSQL_INIT_COMMAND, sql);
	}
	mysql_optionsv(h, MYSQL_REPORT_DATA_TRUNCATION, &yes);
	mysql_optionsv(h, MYSQL_OPT_RECONNECT, &no);
	mysql_optionsv(h, MYSQL_OPT_LOCAL_INFILE, &on);
	mysql_set_local_infile_handler(h, local_init, local_read, local_end, local_error, m);
	if (by_tcp && o->tls) {
		mysql_optionsv(h, MYSQL_OPT_SSL_ENFORCE, &yes);
		mysql_optionsv(h, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
		mysql_ssl_set(h, o->tls_key, o->tls_cert, o->tls_ca, NULL, NULL);
	}
	return h;
}

static int connect_one(struct maria *m, const struct maria_host *host, struct err *err)
{
	const struct maria_options *o = &m->options;

	m->handle = handle_new(m, host != NULL);
	mem_free(m->where);
	m->where = host ? mem_printf("%s:%u", host->name, host->port) : mem_strdup(o->socket);
	if (mysql_real_connect(m->handle, host ? host->name : NULL, o->user, o->password,
			       o->database, host ? host->port : 0, host ? NULL : o->socket, 0)) {
		m->is_lost = false;
		return 0;
	}
	maria_fail_handle(m, err);
	mysql_close(m->handle);
	m->handle = NULL;
	m->is_lost = true;
	return -(int)(err ? err->code : ERR_UNAVAILABLE);
}

/* Of several hosts, one that takes writes: a replica, or Galera that is not ready, answers too. */
static bool takes_writes(struct maria *m)
{
	int64_t read_only = 0;
	char *ready = NULL;
	bool ok;

	ok = maria_query_int(m, store_sql_read_only, NULL, 0, &read_only, NULL) == 0 && !read_only;
	if (ok && maria_query_text(m, store_sql_wsrep_ready, NULL, 0, &ready, NULL) == 0)
		ok = ready && cstr_equal(ready, "ON");
	mem_free(ready);
	return ok;
}

static void hang_up(struct maria *m)
{
	if (m->handle)
		mysql_close(m->handle);
	m->handle = NULL;
	m->is_lost = true;
}

static int connect_any(struct maria *m, struct err *err)
{
	const struct maria_host *reader = NULL;
	int r = 0;

	if (!m->n_hosts)
		return connect_one(m, NULL, err);
	for (size_t i = 0; i < m->n_hosts; i++) {
		r = connect_one(m, &m->hosts[i], err);
		if (r == -ERR_PERMISSION || r == -ERR_NOT_FOUND)
			return r;
		if (r == 0 && (m->n_hosts == 1 || takes_writes(m)))
			return 0;
		if (r == 0 && !reader)
			reader = &m->hosts[i];
		hang_up(m);
	}
	if (reader)
		return connect_one(m, reader, err); /* better than nothing: it can be read */
	if (m->n_hosts > 1)
		return err_context(err, "none of %zu hosts answers, the last one", m->n_hosts);
	return r;
}

int maria_parse_host(const char *text, unsigned default_port, struct arena *arena,
		     struct maria_host *ret, struct err *err)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	int64_t port = default_port ? default_port : 3306;

	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not a host", text);
		colon = close[1] ? close + 1 : NULL;
		text++;
		end = close;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* a bare IPv6 address */
	} else if (colon) {
		end = colon;
	}
	if (colon && parse_int64(str_from(colon + 1), 1, 65535, &port, err) < 0)
		return err_context(err, "port of host \"%s\"", text);
	if (end == text)
		return err_set(err, ERR_INVALID_ARGUMENT, "a host without a name");
	ret->name = arena_strndup(arena, text, (size_t)(end - text));
	ret->port = (unsigned)port;
	return 0;
}

static const char *copy(struct maria *m, const char *s)
{
	return s ? arena_strdup(&m->arena, s) : NULL;
}

int maria_open(const struct maria_options *options, struct maria **ret, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = MEM_NEW(struct maria);
	struct maria_options *o = &m->options;
	size_t n = 0;
	int r;

	*o = *options;
	o->hosts = NULL;
	o->socket = copy(m, options->socket);
	o->user = copy(m, options->user);
	o->password = copy(m, options->password);
	o->database = copy(m, options->database);
	o->tls_ca = copy(m, options->tls_ca);
	o->tls_cert = copy(m, options->tls_cert);
	o->tls_key = copy(m, options->tls_key);
	while (options->hosts && options->hosts[n])
		n++;
	m->hosts = arena_alloc(&m->arena, (n + 1) * sizeof(*m->hosts));
	for (size_t i = 0; i < n; i++) {
		r = maria_parse_host(options->hosts[i], o->port, &m->arena, &m->hosts[i], err);
		if (r < 0)
			return r;
	}
	m->n_hosts = n;
	if (!n && !o->socket)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "neither a host nor a socket of MariaDB is known");
	r = connect_any(m, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

static void statement_done(struct maria_statement *s)
{
	if (s->handle)
		mysql_stmt_close(s->handle);
	for (size_t i = 0; i < s->n_columns; i++)
		mem_free(s->results[i].buffer);
	mem_free(s->results);
	mem_free(s->columns);
	mem_free(s->sql);
	*s = (struct maria_statement){0};
}

static void drop_statements(struct maria *m)
{
	for (size_t i = 0; i < m->n_statements; i++)
		statement_done(&m->statements[i]);
	m->n_statements = 0;
}

static void disconnect(struct maria *m)
{
	if (m->rows.is_open)
		maria_rows_close(&m->rows);
	drop_statements(m);
	if (m->handle)
		mysql_close(m->handle);
	m->handle = NULL;
	m->is_lost = true;
}

struct maria *maria_close(struct maria *m)
{
	if (!m)
		return NULL;
	disconnect(m);
	mem_free(m->where);
	arena_done(&m->arena);
	mem_free(m);
	return NULL;
}

int maria_set_lock_wait(struct maria *m, unsigned seconds, struct err *err)
{
	char sql[128];

	m->options.lock_wait_s = seconds;
	(void)snprintf(sql, sizeof(sql), LOCK_WAIT_SQL, seconds, seconds);
	return maria_exec(m, sql, err);
}

int maria_reconnect(struct maria *m, struct err *err)
{
	disconnect(m);
	return connect_any(m, err);
}

bool maria_is_lost(const struct maria *m)
{
	return m->is_lost;
}

const char *maria_host(const struct maria *m)
{
	return m->where ? m->where : "";
}

const char *maria_server_version(const struct maria *m)
{
	return m->handle ? mysql_get_server_info(m->handle) : "";
}

int maria_check_usable(struct maria *m, struct err *err)
{
	bug_if(m->rows.is_open); /* the result of the query before was not closed */
	if (!m->handle || m->is_lost)
		return err_set(err, ERR_UNAVAILABLE, "the connection to MariaDB at %s is lost",
			       maria_host(m));
	return 0;
}

/* --- statements ------------------------------------------------------------------------------- */

static struct maria_statement *find_statement(struct maria *m, const char *sql, uint64_t hash)
{
	for (size_t i = 0; i < m->n_statements; i++) {
		if (m->statements[i].hash == hash && cstr_equal(m->statements[i].sql, sql))
			return &m->statements[i];
	}
	return NULL;
}

static struct maria_statement *free_slot(struct maria *m)
{
	struct maria_statement *oldest = &m->statements[0];

	if (m->n_statements < MARIA_STATEMENTS_MAX)
		return &m->statements[m->n_statements++];
	for (size_t i = 1; i < m->n_statements; i++) {
		if (m->statements[i].used < oldest->used)
			oldest = &m->statements[i];
	}
	statement_done(oldest);
	return oldest;
}

/* First size of a column's buffer; a longer value makes it grow, once. */
#define COLUMN_BUFFER_MIN 128

static void prepare_results(struct maria_statement *s)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(s->handle);

	if (!meta)
		return;
	s->n_columns = mysql_num_fields(meta);
	s->results = mem_alloc_array(s->n_columns, sizeof(*s->results));
	s->columns = mem_alloc_array(s->n_columns, sizeof(*s->columns));
	for (size_t i = 0; i < s->n_columns; i++) {
		MYSQL_BIND *b = &s->results[i];

		b->buffer_type = MYSQL_TYPE_STRING;
		b->buffer = mem_alloc(COLUMN_BUFFER_MIN);
		b->buffer_length = COLUMN_BUFFER_MIN - 1; /* room for our NUL */
		b->length = &s->columns[i].length;
		b->is_null = &s->columns[i].is_null;
		b->error = &s->columns[i].is_cut;
	}
	mysql_free_result(meta);
}

static void forget_statement(struct maria *m, struct maria_statement *s)
{
	statement_done(s);
	*s = m->statements[--m->n_statements]; /* keeps the array dense */
	m->statements[m->n_statements] = (struct maria_statement){0};
}

static struct maria_statement *prepare(struct maria *m, const char *sql, uint64_t hash,
				       struct err *err)
{
	struct maria_statement *s = free_slot(m);

	*s = (struct maria_statement){.hash = hash, .sql = mem_strdup(sql)};
	s->handle = mysql_stmt_init(m->handle);
	bug_if(!s->handle);
	if (mysql_stmt_prepare(s->handle, sql, strlen(sql)) == 0) {
		prepare_results(s);
		return s;
	}
	(void)maria_fail_statement(m, s->handle, err);
	forget_statement(m, s);
	return NULL;
}

static void bind_value(MYSQL_BIND *b, const struct maria_value *v)
{
	memset(b, 0, sizeof(*b));
	switch (v->type) {
	case MARIA_NULL:
		b->buffer_type = MYSQL_TYPE_NULL;
		return;
	case MARIA_INT:
	case MARIA_UINT:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		b->is_unsigned = v->type == MARIA_UINT;
		memcpy(&b->buffer,
		       &(const void *){v->type == MARIA_UINT ? (const void *)&v->u
							     : (const void *)&v->i},
		       sizeof(b->buffer));
		return;
	case MARIA_TEXT:
	case MARIA_BYTES:
		b->buffer_type = v->type == MARIA_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
		b->buffer_length = v->s.len;
		/* The library takes a pointer to non-const and only reads it. */
		memcpy(&b->buffer, &(const void *){v->s.data ? v->s.data : ""}, sizeof(b->buffer));
		return;
	}
}

#define MARIA_PARAMS_ON_STACK 64

static int execute(struct maria *m, struct maria_statement *s, const struct maria_value *params,
		   size_t n_params, struct err *err)
{
	MYSQL_BIND few[MARIA_PARAMS_ON_STACK];
	_cleanup_(mem_freep) MYSQL_BIND *many =
	    n_params > MARIA_PARAMS_ON_STACK ? mem_alloc_array(n_params, sizeof(*many)) : NULL;
	MYSQL_BIND *binds = many ? many : few;

	bug_if(mysql_stmt_param_count(s->handle) != n_params);
	for (size_t i = 0; i < n_params; i++)
		bind_value(&binds[i], &params[i]);
	if ((n_params && mysql_stmt_bind_param(s->handle, binds)) || mysql_stmt_execute(s->handle))
		return maria_fail_statement(m, s->handle, err);
	if (!s->n_columns) /* of a CALL they are known only now */
		prepare_results(s);
	return 0;
}

int maria_execute(struct maria *m, const char *sql, const struct maria_value *params,
		  size_t n_params, struct maria_statement **ret, struct err *err)
{
	struct err local = {0};
	uint64_t hash = map_hash(str_from(sql));
	int r = maria_check_usable(m, err);

	if (r < 0)
		return r;
	for (int attempt = 0; attempt < 2; attempt++) {
		struct maria_statement *s = find_statement(m, sql, hash);

		if (!s)
			s = prepare(m, sql, hash, &local);
		if (!s)
			break;
		s->used = ++m->tick;
		if (execute(m, s, params, n_params, &local) == 0) {
			*ret = s;
			return 0;
		}
		/* The table changed, perhaps its columns: prepare it again, once. */
		if (local.native != ER_NEED_REPREPARE && local.native != CR_NEW_STMT_METADATA)
			break;
		forget_statement(m, s);
	}
	if (err)
		*err = local;
	return -(int)local.code;
}

int maria_run(struct maria *m, const char *sql, const struct maria_value *params, size_t n_params,
	      uint64_t *ret_affected, struct err *err)
{
	struct maria_statement *s = NULL;
	int r;

	if (n_params == 0) {
		r = maria_exec(m, sql, err);
		if (r == 0 && ret_affected)
			*ret_affected = mysql_affected_rows(m->handle);
		return r;
	}
	r = maria_execute(m, sql, params, n_params, &s, err);
	if (!s)
		return r;
	if (ret_affected)
		*ret_affected = mysql_stmt_affected_rows(s->handle);
	if (s->n_columns)
		maria_drop_results(s);
	return 0;
}

void maria_drop_results(struct maria_statement *s)
{
	do
		mysql_stmt_free_result(s->handle);
	while (mysql_stmt_more_results(s->handle) && mysql_stmt_next_result(s->handle) == 0);
}

int maria_exec(struct maria *m, const char *sql, struct err *err)
{
	MYSQL_RES *result;
	int r = maria_check_usable(m, err);

	if (r < 0)
		return r;
	if (mysql_real_query(m->handle, sql, strlen(sql)))
		return maria_fail_handle(m, err);
	result = mysql_use_result(m->handle);
	if (result)
		mysql_free_result(result);
	return mysql_errno(m->handle) ? maria_fail_handle(m, err) : 0;
}

int maria_finish(struct maria *m, int r, struct err *err)
{
	struct err ignored = {0};

	if (r == 0)
		r = maria_exec(m, "COMMIT", err);
	if (r < 0 && !maria_is_lost(m) && maria_exec(m, "ROLLBACK", &ignored) < 0)
		err_clear(&ignored);
	return r;
}

int maria_snapshot_begin(struct maria *m, struct err *err)
{
	/* In a READ COMMITTED session WITH CONSISTENT SNAPSHOT gives no snapshot. */
	int r = maria_exec(m, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);

	if (r == 0)
		r = maria_exec(m, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err);
	return r;
}

int maria_snapshot_end(struct maria *m, struct err *err)
{
	return maria_exec(m, "COMMIT", err);
}
