/*
 * MongoDB: a pool of clients with one set of concerns (majority and journal for writes, majority
 * for reads), and the table that sorts its errors into classes.
 */
#include "store/mongo.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/banned.h"

struct mongo {
	mongoc_client_pool_t *pool; /* NULL: one client, without a monitoring thread */
	mongoc_client_t *only;
	bool is_only_out;
	char *database;
};

#define POOL_MAX_DEFAULT   32
#define TIMEOUT_MS_DEFAULT 10000
/* How often the driver looks at its servers: an outage is noticed, and its end too, within this. */
#define HEARTBEAT_MS 1000

static pthread_once_t driver_once = PTHREAD_ONCE_INIT;

static void no_driver_log(mongoc_log_level_t level, const char *domain, const char *message,
			  void *arg)
{
	(void)level;
	(void)domain;
	(void)message;
	(void)arg;
}

/*
 * The driver counts in a shared-memory file named for the process, which it makes as soon as it is
 * loaded, and removes at the end. A process that was killed leaves it in /dev/shm, also one that
 * never used MongoDB, and the next process of that number is warned about it on its terminal.
 * Nobody reads the file: without a name it goes with the process, however that ends. The
 * constructors of an executable run after those of its libraries.
 */
__attribute__((constructor)) static void forget_counters(void)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "/mongoc-%u", (unsigned)getpid());
	(void)shm_unlink(name);
}

static void driver_init(void)
{
	mongoc_log_set_handler(no_driver_log, NULL); /* errors come back to the caller */
	mongoc_init();
}

/* The URI of the options, checked. */
static int parse_uri(const char *text, mongoc_uri_t **ret, struct err *err)
{
	bson_error_t e;
	mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &e);

	if (!uri)
		return err_set(err, ERR_INVALID_ARGUMENT, "the MongoDB URI is not valid: %s",
			       e.message);
	if (mongoc_uri_get_password(uri)) {
		mongoc_uri_destroy(uri);
		err_set(err, ERR_INVALID_ARGUMENT, "the MongoDB URI holds a password");
		return err_hint(err, "leave user and password out of the URI: set mongodb.user and "
				     "mongodb.password_file, or MONGO_USER and MONGO_PASS");
	}
	*ret = uri;
	return 0;
}

static void add_percent(struct strbuf *b, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s))
			strbuf_addch(b, *s);
		else
			strbuf_addf(b, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

/* An option that the URI does not set itself. */
static void add_option(struct strbuf *b, const mongoc_uri_t *uri, const char *name,
		       const char *value)
{
	if (mongoc_uri_has_option(uri, name) ||
	    bson_has_field(mongoc_uri_get_credentials(uri), name))
		return; /* what is about accounts is no option to libmongoc */
	strbuf_addf(b, "%s%s=", strchr(strbuf_str(b), '?') ? "&" : "?", name);
	add_percent(b, value);
}

/* libmongoc gives a URI back as it was parsed only, so it is put together as text. */
static void add_uri(struct strbuf *b, const mongoc_uri_t *uri, const struct mongo_options *o)
{
	const char *hosts = strstr(o->uri, "://") + 3; /* it was parsed */
	const char *rest = hosts + strcspn(hosts, "/?");
	const char *at = memrchr(hosts, '@', (size_t)(rest - hosts));

	strbuf_add(b, o->uri, (size_t)(hosts - o->uri));
	if (o->user) {
		add_percent(b, o->user);
		strbuf_addch(b, ':');
		add_percent(b, o->password ? o->password : "");
		strbuf_addch(b, '@');
		hosts = at ? at + 1 : hosts;
	}
	strbuf_add(b, hosts, (size_t)(rest - hosts));
	strbuf_addch(b, '/');
	add_percent(b, o->database ? o->database : "");
	strbuf_addstr(b, rest + strcspn(rest, "?"));
	if (o->user)
		add_option(b, uri, MONGOC_URI_AUTHSOURCE, "admin");
	if (o->tls_ca) {
		add_option(b, uri, MONGOC_URI_TLS, "true");
		add_option(b, uri, MONGOC_URI_TLSCAFILE, o->tls_ca);
	}
}

int mongo_uri_text(const struct mongo_options *options, struct strbuf *ret, struct err *err)
{
	mongoc_uri_t *uri = NULL;
	int r;

	pthread_once(&driver_once, driver_init);
	r = parse_uri(options->uri, &uri, err);
	if (r < 0)
		return r;
	add_uri(ret, uri, options);
	mongoc_uri_destroy(uri);
	return strbuf_check(ret, "the MongoDB URI", err);
}

/* How our own connections behave. */
static void set_behaviour(mongoc_uri_t *uri, const struct mongo_options *o)
{
	int timeout = o->timeout_ms ? (int)o->timeout_ms : TIMEOUT_MS_DEFAULT;
	mongoc_write_concern_t *wc;
	mongoc_read_concern_t *rc;

	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, timeout);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, timeout);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, timeout * 3);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS);
	if (o->pool_max == 1) /* wait for the server as a pool does */
		mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
	else
		mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE,
					       o->pool_max ? (int)o->pool_max : POOL_MAX_DEFAULT);
	mongoc_uri_set_appname(uri, "aethermart");
	wc = mongoc_write_concern_new();
	mongoc_write_concern_set_w(wc, MONGOC_WRITE_CONCERN_W_MAJORITY);
	mongoc_write_concern_set_journal(wc, true);
	mongoc_uri_set_write_concern(uri, wc);
	mongoc_write_concern_destroy(wc);
	rc = mongoc_read_concern_new();
	mongoc_read_concern_set_level(rc, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	mongoc_uri_set_read_concern(uri, rc);
	mongoc_read_concern_destroy(rc);
}

/* No text of the driver's: it could quote the password. */
static int make_uri(const struct mongo_options *o, mongoc_uri_t **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(0);
	int r = mongo_uri_text(o, &text, err);

	if (r < 0)
		return r;
	*ret = mongoc_uri_new(strbuf_str(&text));
	if (!*ret)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the MongoDB URI is not valid with account and database in it");
	set_behaviour(*ret, o);
	return 0;
}

int mongo_open(const struct mongo_options *options, struct mongo **ret, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *m = MEM_NEW(struct mongo);
	mongoc_uri_t *uri = NULL;
	bson_error_t e;
	int r;

	r = make_uri(options, &uri, err);
	if (r < 0)
		return r;
	m->database = mem_strdup(options->database ? options->database : "test");
	if (options->pool_max == 1)
		m->only = mongoc_client_new_from_uri_with_error(uri, &e);
	else
		m->pool = mongoc_client_pool_new_with_error(uri, &e);
	mongoc_uri_destroy(uri);
	if (!m->pool && !m->only)
		return err_set(err, ERR_INVALID_ARGUMENT, "MongoDB cannot be used: %s", e.message);
	if (m->pool)
		mongoc_client_pool_set_error_api(m->pool, MONGOC_ERROR_API_VERSION_2);
	else
		mongoc_client_set_error_api(m->only, MONGOC_ERROR_API_VERSION_2);
	*ret = TAKE_PTR(m);
	return 0;
}

struct mongo *mongo_close(struct mongo *m)
{
	if (!m)
		return NULL;
	if (m->pool)
		mongoc_client_pool_destroy(m->pool);
	if (m->only)
		mongoc_client_destroy(m->only);
	mem_free(m->database);
	mem_free(m);
	return NULL;
}

mongoc_client_t *mongo_pop(struct mongo *m)
{
	if (m->pool)
		return mongoc_client_pool_pop(m->pool);
	bug_if(m->is_only_out);
	m->is_only_out = true;
	return m->only;
}

void mongo_push(struct mongo *m, mongoc_client_t *client)
{
	if (client && m->pool)
		mongoc_client_pool_push(m->pool, client);
	else
		m->is_only_out = false;
}

const char *mongo_database(const struct mongo *m)
{
	return m->database;
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Server codes, from MongoDB's error_codes.yml. */
static const struct {
	int code;
	enum err_code class;
	const char *name;
} server_codes[] = {
    {6, ERR_UNAVAILABLE, "HostUnreachable"},
    {7, ERR_UNAVAILABLE, "HostNotFound"},
    {89, ERR_UNAVAILABLE, "NetworkTimeout"},
    {91, ERR_UNAVAILABLE, "ShutdownInProgress"},
    {189, ERR_UNAVAILABLE, "PrimarySteppedDown"},
    {9001, ERR_UNAVAILABLE, "SocketException"},
    {10107, ERR_UNAVAILABLE, "NotWritablePrimary"},
    {11600, ERR_UNAVAILABLE, "InterruptedAtShutdown"},
    {11602, ERR_UNAVAILABLE, "InterruptedDueToReplStateChange"},
    {13435, ERR_UNAVAILABLE, "NotPrimaryNoSecondaryOk"},
    {13436, ERR_UNAVAILABLE, "NotPrimaryOrSecondary"},
    {14031, ERR_UNAVAILABLE, "OutOfDiskSpace"},
    {94, ERR_UNAVAILABLE, "NotYetInitialized"},
    {134, ERR_UNAVAILABLE, "ReadConcernMajorityNotAvailableYet"},
    {50, ERR_TIMEOUT, "MaxTimeMSExpired"},
    {262, ERR_TIMEOUT, "ExceededTimeLimit"},
    {64, ERR_TIMEOUT, "WriteConcernFailed"},
    {24, ERR_RETRY, "LockTimeout"},
    {112, ERR_RETRY, "WriteConflict"},
    {225, ERR_RETRY, "TransactionTooOld"},
    {244, ERR_RETRY, "TransactionAborted"},
    {246, ERR_RETRY, "SnapshotUnavailable"},
    {251, ERR_RETRY, "NoSuchTransaction"},
    {13, ERR_PERMISSION, "Unauthorized"},
    {18, ERR_PERMISSION, "AuthenticationFailed"},
    {8000, ERR_PERMISSION, "AtlasError"},
    {26, ERR_NOT_FOUND, "NamespaceNotFound"},
    {2, ERR_DOCUMENT, "BadValue"},
    {14, ERR_DOCUMENT, "TypeMismatch"},
    {28, ERR_DOCUMENT, "PathNotViable"},
    {52, ERR_DOCUMENT, "DollarPrefixedFieldName"},
    {53, ERR_DOCUMENT, "InvalidIdField"},
    {66, ERR_DOCUMENT, "ImmutableField"},
    {121, ERR_DOCUMENT, "DocumentValidationFailure"},
    {10334, ERR_DOCUMENT, "BSONObjectTooLarge"},
    {11000, ERR_DOCUMENT, "DuplicateKey"},
    {17280, ERR_DOCUMENT, "KeyTooLong"},
    {17419, ERR_DOCUMENT, "resulting document is too large"},
    {17420, ERR_DOCUMENT, "document to insert is too large"},
};

static bool has_label(const bson_t *reply, const char *label)
{
	return reply && mongoc_error_has_label(reply, label);
}

static enum err_code class_of(const bson_error_t *e, const bson_t *reply, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_LEN(server_codes); i++) {
		if (e->domain == MONGOC_ERROR_SERVER && server_codes[i].code == (int)e->code) {
			*ret_name = server_codes[i].name;
			return server_codes[i].class;
		}
	}
	if (e->domain == MONGOC_ERROR_STREAM || e->domain == MONGOC_ERROR_SERVER_SELECTION)
		return ERR_UNAVAILABLE;
	if (e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
		return ERR_PERMISSION;
	if (e->domain == MONGOC_ERROR_BSON)
		return ERR_DOCUMENT;
	if (has_label(reply, "TransientTransactionError") ||
	    has_label(reply, "UnknownTransactionCommitResult"))
		return ERR_RETRY;
	if (e->domain == MONGOC_ERROR_WRITE_CONCERN)
		return ERR_TIMEOUT;
	return ERR_INVALID_ARGUMENT;
}

/* The name of the index that a duplicate key error tells of, without the key itself. */
static void add_index_name(struct strbuf *b, const char *message)
{
	const char *p = strstr(message, "index: ");

	if (p) {
		p += 7;
		strbuf_addf(b, " in index \"%.*s\"", (int)strcspn(p, " "), p);
	}
}

int mongo_error(struct err *err, const bson_error_t *error, const bson_t *reply, const char *what)
{
	const char *name = NULL;
	enum err_code class = class_of(error, reply, &name);
	struct strbuf b = STRBUF_INIT(ERR_MESSAGE_MAX);
	int r;

	/* What names a document may quote its values; everything else is about the server. */
	if (class == ERR_DOCUMENT) {
		strbuf_addstr(&b, name ? name : "the document cannot be encoded");
		if (error->code == 11000)
			add_index_name(&b, error->message);
	} else if (!name && mongo_write_error_index(reply) >= 0) {
		strbuf_addstr(&b, "a document was refused");
	} else {
		strbuf_addstr(&b, error->message);
	}
	r = err_set(err, class, "MongoDB: %s: %s (%u)", what, strbuf_str(&b), error->code);
	strbuf_done(&b);
	if (err)
		err->native = (int)error->code;
	return r;
}

int64_t mongo_write_error_index(const bson_t *reply)
{
	bson_iter_t it, errors, fields;

	if (!reply || !bson_iter_init_find(&it, reply, "writeErrors") ||
	    !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &errors) ||
	    !bson_iter_next(&errors) || !BSON_ITER_HOLDS_DOCUMENT(&errors) ||
	    !bson_iter_recurse(&errors, &fields) || !bson_iter_find(&fields, "index"))
		return -1;
	return bson_iter_as_int64(&fields);
}

int mongo_command(struct mongo *m, const char *database, const bson_t *command, bson_t *reply,
		  struct err *err)
{
	mongoc_client_t *client = mongo_pop(m);
	bson_t own = BSON_INITIALIZER;
	bson_error_t e;
	bool ok;
	int r = 0;

	bson_destroy(&own);
	ok = mongoc_client_command_simple(client, database ? database : m->database, command, NULL,
					  &own, &e);
	if (!ok)
		r = mongo_error(err, &e, &own, bson_empty(command) ? "command" : "command failed");
	if (ok && reply)
		bson_copy_to(&own, reply);
	bson_destroy(&own);
	mongo_push(m, client);
	return r;
}

/* --- probe ------------------------------------------------------------------------------------ */

static void read_hello(const bson_t *reply, struct mongo_server *ret)
{
	bson_iter_t it;

	if (bson_iter_init_find(&it, reply, "setName"))
		ret->is_replica_set = true;
	if (bson_iter_init_find(&it, reply, "msg") && BSON_ITER_HOLDS_UTF8(&it) &&
	    cstr_equal(bson_iter_utf8(&it, NULL), "isdbgrid"))
		ret->is_replica_set = true;
}

/* A transaction that reads: a standalone server refuses its first statement. */
static bool try_transaction(struct mongo *m)
{
	mongoc_client_t *client = mongo_pop(m);
	mongoc_collection_t *c = mongoc_client_get_collection(client, m->database, "sync_fence");
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	mongoc_client_session_t *session = mongoc_client_start_session(client, NULL, NULL);
	const bson_t *doc;
	bson_error_t e;
	bool ok = session && mongoc_client_session_start_transaction(session, NULL, &e) &&
		  mongoc_client_session_append(session, &opts, &e);

	if (ok) {
		mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, &opts, NULL);

		(void)mongoc_cursor_next(cursor, &doc);
		ok = !mongoc_cursor_error(cursor, &e);
		mongoc_cursor_destroy(cursor);
		(void)mongoc_client_session_abort_transaction(session, &e);
	}
	if (session)
		mongoc_client_session_destroy(session);
	bson_destroy(&filter);
	bson_destroy(&opts);
	mongoc_collection_destroy(c);
	mongo_push(m, client);
	return ok;
}

int mongo_probe(struct mongo *m, struct mongo_server *ret, struct err *err)
{
	bson_t *command = BCON_NEW("hello", BCON_INT32(1)),
	       *build = BCON_NEW("buildInfo", BCON_INT32(1));
	bson_t reply = BSON_INITIALIZER;
	struct mongo_server s = {.version = "unknown"};
	bson_iter_t it;
	int r;

	bson_destroy(&reply);
	r = mongo_command(m, "admin", command, &reply, err);
	if (r == 0) {
		read_hello(&reply, &s);
		bson_destroy(&reply);
		r = mongo_command(m, "admin", build, &reply, err);
	}
	if (r == 0) {
		if (bson_iter_init_find(&it, &reply, "version") && BSON_ITER_HOLDS_UTF8(&it))
			snprintf(s.version, sizeof(s.version), "%s", bson_iter_utf8(&it, NULL));
		bson_destroy(&reply);
		s.has_transactions = s.is_replica_set && try_transaction(m);
		*ret = s;
	}
	bson_destroy(command);
	bson_destroy(build);
	return r;
}

bson_t *mongo_copy_document(const bson_t *doc, struct arena *arena)
{
	const size_t align = _Alignof(bson_t); /* 128, more than arenas give */
	char *at = arena_alloc(arena, sizeof(bson_t) + align);
	uint8_t *bytes = arena_alloc(arena, doc->len);
	bson_t *copy = (void *)(at + (align - (uintptr_t)at % align) % align);

	memcpy(bytes, bson_get_data(doc), doc->len);
	bug_if(!bson_init_static(copy, bytes, doc->len));
	return copy;
}
