/*
 * `aethermart status`: everything is gathered as JSON first; the tables for people are drawn from
 * it, so that both say the same. What cannot be reached is shown as such and is no error: the
 * answer "MongoDB is away" is a true one.
 */
#include "cli/cli_index.h"
#include "cli/cli_stack.h"
#include "cli/cli_worker.h"

#include "base/clock.h"
#include "base/table.h"
#include "sync/sync.h"

#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "base/banned.h"

#define WATCH_MS	1000 /* how often --watch looks again */
#define PROBE_TIMEOUT_S 2    /* a server that is away must not hold up the answer */

/* --- gathering ------------------------------------------------------------------------------- */

static void add_text(json_t *o, const char *name, const char *value)
{
	(void)json_object_set_new(o, name, cli_json_text(str_from(value)));
}

static void add_int(json_t *o, const char *name, int64_t value)
{
	(void)json_object_set_new(o, name, json_integer(value));
}

static json_t *server_json(const struct stack_server *s)
{
	json_t *o = json_object();

	add_text(o, "name", s->name);
	add_text(o, "kind", s->kind);
	add_text(o, "version", s->version);
	add_text(o, "address", s->address);
	(void)json_object_set_new(o, "embedded", json_boolean(s->is_embedded));
	(void)json_object_set_new(o, "running", json_boolean(s->is_running));
	add_int(o, "pid", s->pid);
	add_int(o, "uptime_s", s->uptime_s);
	add_int(o, "memory_bytes", s->memory_bytes);
	add_text(o, "log", s->log);
	return o;
}

/* The state and, when it cannot be reached, why. */
static void set_state(json_t *server, bool is_reached, const struct err *why)
{
	bool is_running = json_is_true(json_object_get(server, "running"));

	add_text(server, "state",
		 is_reached    ? "answers"
		 : !is_running ? "stopped"
			       : "does not answer");
	add_text(server, "error", is_reached || !is_running ? NULL : why->message);
}

static int open_maria(const struct command_line *line, struct maria **ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct maria_options o = {0};
	int r = endpoint_maria(line->config, ENDPOINT_ADMIN, &arena, &o, err);

	o.connect_timeout_s = PROBE_TIMEOUT_S;
	return r < 0 ? r : maria_open(&o, ret, err);
}

static int open_mongo(const struct command_line *line, struct mongo **ret,
		      struct mongo_server *ret_server, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct mongo_options o = {0};
	int r = endpoint_mongo(line->config, ENDPOINT_ADMIN, &arena, &o, err);

	o.timeout_ms = PROBE_TIMEOUT_S * 1000;
	o.pool_max = 1;
	if (r == 0)
		r = mongo_open(&o, ret, err);
	if (r == 0)
		r = mongo_probe(*ret, ret_server, err);
	return r;
}

static int64_t count_rows(struct maria *db, const char *table)
{
	int64_t n = -1;

	return maria_count_rows(db, table, &n, NULL) < 0 ? -1 : n;
}

static int64_t count_documents(struct mongo *m, const char *name)
{
	mongoc_client_t *client = mongo_pop(m);
	mongoc_collection_t *c = mongoc_client_get_collection(client, mongo_database(m), name);
	int64_t n = mongoc_collection_estimated_document_count(c, NULL, NULL, NULL, NULL);

	mongoc_collection_destroy(c);
	mongo_push(m, client);
	return n;
}

/* The live figures of a collection, from the worker's own answer. */
static void add_live(json_t *o, const json_t *worker, const char *collection)
{
	static const char *const names[] = {"lag_p50_ms", "lag_p99_ms", "retries"};
	const json_t *list = json_object_get(worker, "collections");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(c, "collection"));

		if (!name || !cstr_equal(name, collection))
			continue;
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			json_t *v = json_object_get(c, names[k]);

			/* Negative: nothing was applied lately. */
			if (json_is_number(v) && json_number_value(v) >= 0)
				(void)json_object_set(o, names[k], v);
		}
	}
}

static json_t *collection_json(const struct sync_queue_status *q, const struct mapping_set *set,
			       struct maria *db, struct mongo *mongo, const json_t *worker)
{
	const struct mapping *m = mapping_set_find(set, q->collection);
	json_t *o = json_object();

	add_text(o, "collection", q->collection);
	add_text(o, "state", q->state);
	add_text(o, "table", m ? mapping_root_table(m) : NULL);
	if (m)
		add_int(o, "rows", count_rows(db, mapping_root_table(m)));
	if (mongo && m && mapping_has_target(m))
		add_int(o, "documents", count_documents(mongo, q->collection));
	add_text(o, "queue", q->queue);
	add_int(o, "pending", q->pending);
	add_int(o, "oldest_age_ms", q->oldest_age_ms);
	add_int(o, "applied", q->applied);
	add_int(o, "failed", q->failed);
	add_int(o, "dead_letters", q->dead_letters);
	if (q->migrate_total >= 0) {
		add_int(o, "migrated", q->migrated);
		add_int(o, "migrate_total", q->migrate_total);
	}
	add_live(o, worker, q->collection);
	return o;
}

static void add_sync(const struct command_line *line, json_t *root, struct maria *db,
		     struct mongo *mongo, const json_t *worker)
{
	struct sync_status s = {0};
	struct mapping_set set = {0};
	json_t *list = json_array();
	json_t *sync = json_object();
	struct err why = {0};
	bool is_read;

	(void)json_object_set_new(root, "collections", list);
	(void)json_object_set_new(root, "sync", sync);
	/* Without mappings (no schema yet) the queues are shown without counts. */
	is_read = cli_load_mappings(line, db, &set, &why) == 0;
	if (sync_status_read(db, &s, NULL) == 0) {
		add_text(sync, "mappings_error", is_read || !s.len ? NULL : why.message);
		for (size_t i = 0; i < s.len; i++)
			(void)json_array_append_new(
			    list, collection_json(&s.items[i], &set, db, mongo, worker));
		add_text(sync, "holder", s.has_holder ? s.holder : NULL);
		add_int(sync, "term", s.term);
		add_text(sync, "verified_at", s.verified_at);
		add_text(sync, "verified_result", s.verified_result);
		sync_status_done(&s);
	}
	mapping_set_done(&set);
}

static int gather(const struct command_line *line, json_t *root, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	_cleanup_(json_decrefp) json_t *worker = cli_worker_json(line, "/v1/status");
	struct stack_status stack = {0};
	struct mongo_server probe = {0};
	json_t *servers = json_array(), *index;
	struct err why = {0};
	int r;

	(void)json_object_set_new(root, "servers", servers);
	r = stack_status_read(line->config, &stack, err);
	if (r < 0)
		return r;
	for (int i = 0; i < STACK_PARTS; i++)
		(void)json_array_append_new(servers, server_json(&stack.servers[i]));
	add_text(root, "created", stack.created);
	r = open_maria(line, &db, &why);
	set_state(json_array_get(servers, STACK_MARIADB), r == 0, &why);
	if (r == 0)
		add_text(json_array_get(servers, STACK_MARIADB), "version",
			 maria_server_version(db));
	err_clear(&why);
	r = open_mongo(line, &mongo, &probe, &why);
	set_state(json_array_get(servers, STACK_MONGODB), r == 0, &why);
	if (r == 0)
		add_text(json_array_get(servers, STACK_MONGODB), "version", probe.version);
	(void)err_set(&why, ERR_UNAVAILABLE, "it does not answer at its socket");
	set_state(json_array_get(servers, STACK_WORKER), worker != NULL, &why);
	if (db)
		add_sync(line, root, db, r == 0 ? mongo : NULL, worker);
	(void)json_object_set(root, "worker", worker ? worker : json_null());
	index = worker ? cli_worker_json(line, "/v1/index/status") : NULL;
	(void)json_object_set_new(root, "index", index ? index : json_null());
	stack_status_done(&stack);
	return 0;
}

/* --- printing -------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "-";
}

/* A number, "-" when it is not known. */
static const char *number_of(const json_t *o, const char *name, struct arena *arena)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return "-";
	return arena_printf(arena, "%" PRId64, (int64_t)json_integer_value(v));
}

static const char *duration_of(const json_t *o, const char *name, struct arena *arena)
{
	const json_t *v = json_object_get(o, name);
	char buf[CLOCK_TEXT_SIZE];

	if (!json_is_number(v) || json_number_value(v) < 0)
		return "-";
	return arena_strdup(arena,
			    clock_format_duration((int64_t)(json_number_value(v) * 1000), buf));
}

/* A URI's hosts; they may be several, and the rest of it says nothing here. */
static const char *address_of(const json_t *server, struct arena *arena)
{
	const char *s = text_of(server, "address");
	const char *hosts = strstr(s, "://");

	hosts = hosts ? hosts + 3 : s;
	return hosts == s ? s : arena_strndup(arena, hosts, strcspn(hosts, "/?"));
}

static void print_servers(const json_t *root, struct arena *arena)
{
	static const char *const titles[] = {"SERVER", "STATE", "VERSION", "ADDRESS",
					     ">PID",   ">MB",	NULL};
	const json_t *list = json_object_get(root, "servers");
	struct table *t = table_new(titles);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);
		const char *version = text_of(s, "version");
		int64_t bytes = json_integer_value(json_object_get(s, "memory_bytes"));
		bool has_pid = json_integer_value(json_object_get(s, "pid")) > 0;
		const char *cells[] = {
		    text_of(s, "name"),
		    text_of(s, "state"),
		    arena_strndup(arena, version, version[0] == '-' ? 1 : strcspn(version, "-")),
		    i == STACK_WORKER ? "serve.sock" : address_of(s, arena),
		    has_pid ? number_of(s, "pid", arena) : "-",
		    bytes > 0 ? arena_printf(arena, "%" PRId64, bytes >> 20) : "-",
		};

		table_add(t, cells);
	}
	table_print(t, stdout);
	(void)table_free(t);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *error =
		    json_string_value(json_object_get(json_array_get(list, i), "error"));

		if (error)
			cli_print_line(
			    arena_printf(arena, "%s: ", text_of(json_array_get(list, i), "name")),
			    error);
	}
}

static void print_collections(const json_t *root, struct arena *arena)
{
	static const char *const titles[] = {"COLLECTION", ">ROWS", ">DOCUMENTS", ">QUEUE",
					     ">OLDEST",	   ">P50",  ">P99",	  ">DEAD",
					     "STATE",	   NULL};
	const json_t *list = json_object_get(root, "collections");
	struct table *t;

	if (json_array_size(list) == 0)
		return;
	t = table_new(titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		bool is_idle = json_integer_value(json_object_get(c, "pending")) == 0;
		const char *cells[] = {
		    text_of(c, "collection"),
		    number_of(c, "rows", arena),
		    number_of(c, "documents", arena),
		    number_of(c, "pending", arena),
		    is_idle ? "-" : duration_of(c, "oldest_age_ms", arena),
		    duration_of(c, "lag_p50_ms", arena),
		    duration_of(c, "lag_p99_ms", arena),
		    number_of(c, "dead_letters", arena),
		    text_of(c, "state"),
		};

		table_add(t, cells);
	}
	printf("\n");
	table_print(t, stdout);
	(void)table_free(t);
}

/* Without them nobody knows which rows a collection is made of. */
static void print_mappings(const json_t *root)
{
	const char *error =
	    json_string_value(json_object_get(json_object_get(root, "sync"), "mappings_error"));

	if (!error)
		return;
	printf("\n");
	cli_print_line("mappings: ", error);
	cli_print_line("  ", "so nobody knows the rows of a collection; `aethermart mapping check` "
			     "names all that is wrong");
}

static void print_verified(const json_t *root, struct arena *arena)
{
	const json_t *sync = json_object_get(root, "sync");

	if (!json_is_string(json_object_get(sync, "verified_at")))
		return;
	printf("\n");
	cli_print_line(arena_printf(arena, "verified %s: ", text_of(sync, "verified_at")),
		       text_of(sync, "verified_result"));
}

static void print_index(const json_t *root)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0), visible = STRBUF_INIT(0);
	const json_t *index = json_object_get(root, "index");

	if (!json_is_object(index))
		return;
	cli_index_summary(index, &b);
	strbuf_add_visible(&visible, strbuf_str(&b), b.len);
	printf("\n");
	cli_print_line("search ", strbuf_str(&visible));
}

static int print_once(const struct command_line *line, bool is_stream, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(json_decrefp) json_t *root = json_object();
	int r = gather(line, root, err);

	if (r < 0)
		return r;
	if (line->json)
		return is_stream ? cli_print_json_line(TAKE_PTR(root), err)
				 : cli_print_json(TAKE_PTR(root), err);
	if (is_stream && isatty(STDOUT_FILENO) == 1)
		printf("\033[H\033[J"); /* home, and clear to the end */
	print_servers(root, &arena);
	print_collections(root, &arena);
	print_mappings(root);
	print_verified(root, &arena);
	print_index(root);
	return cli_flush(err);
}

int cli_status_print(const struct command_line *line, struct err *err)
{
	return print_once(line, false, err);
}

static int run(const struct command_line *line, struct err *err)
{
	int r;

	if (!command_has(line, "watch"))
		return print_once(line, false, err);
	do {
		r = print_once(line, true, err);
		(void)poll(NULL, 0, WATCH_MS);
	} while (r == 0);
	return r;
}

static const struct command_option options[] = {
    {.name = "watch", .type = COMMAND_FLAG, .help = "look again each second, until Ctrl-C"},
    {0},
};

const struct command command_status = {
    .name = "status",
    .summary = "servers, counts, queues, lag, dead letters, last verification",
    .options = options,
    .help = "P50 and P99 are the times from a change to its acknowledged document, over about the "
	    "last minute; OLDEST is the age of the oldest change that still waits.\n\n"
	    "  aethermart status --watch",
    .run = run,
};
