/*
 * `aethermart doctor`: everything that must hold, each with its fix. A check that fails goes on the
 * list and the next one runs; the exit status is not 0 when something must be fixed.
 */
#include "cli/cli_access_mongo.h"
#include "cli/cli_index.h"
#include "cli/cli_retention.h"
#include "cli/cli_stack.h"
#include "cli/cli_witness.h"
#include "cli/cli_worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cluster/layout.h"
#include "embed/embed.h"
#include "govern/audit.h"
#include "govern/quality_stream.h"
#include "govern/rbac_audit.h"
#include "govern/token.h"
#include "shop/order_desk.h"
#include "sync/sync_admin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/banned.h"

#define FREE_BYTES_MIN		((uint64_t)1 << 30) /* binary logs and journals stop in a full disk */
#define FILES_MIN		1024
#define MARIA_MAJOR_MIN		10 /* 10.6 brought SKIP LOCKED, by which the queues are claimed */
#define MARIA_MINOR_MIN		6
#define MONGO_MAJOR_MIN		5 /* what the pipelines of the sync need */
#define CONSUMER_UNSEEN_SECONDS 86400

struct doctor {
	const struct command_line *line;
	struct arena arena;
	json_t *checks;
	unsigned n_bad;
};

/* `fix` NULL: all is well. */
static void note(struct doctor *d, const char *what, const char *fix)
{
	(void)json_array_append_new(d->checks, json_pack("{s:b, s:o, s:o}", "ok", fix == NULL,
							 "what", cli_json_text(str_from(what)),
							 "fix", cli_json_text(str_from(fix))));
	d->n_bad += fix != NULL;
}

static void note_error(struct doctor *d, const char *what, const struct err *err)
{
	note(d, arena_printf(&d->arena, "%s: %s", what, err->message),
	     err->hint[0] ? err->hint : "remove the cause that the message names");
}

/* --- MariaDB --------------------------------------------------------------------------------- */

static const char *const admin_rights[] = {
    "SELECT",	      "INSERT",	       "UPDATE",
    "DELETE",	      "CREATE",	       "DROP",
    "ALTER",	      "INDEX",	       "REFERENCES",
    "TRIGGER",	      "CREATE VIEW",   "SHOW VIEW",
    "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE",
    "EVENT",	      "LOCK TABLES",   "CREATE TEMPORARY TABLES",
};

static void check_maria_version(struct doctor *d, struct maria *m)
{
	const char *version = maria_server_version(m);
	int major = 0, minor = 0;
	bool is_known = sscanf(version, "%d.%d", &major, &minor) == 2;
	bool is_mariadb = strstr(version, "MariaDB") != NULL;
	bool is_new =
	    major > MARIA_MAJOR_MIN || (major == MARIA_MAJOR_MIN && minor >= MARIA_MINOR_MIN);

	note(d, arena_printf(&d->arena, "MariaDB %s at %s", version, maria_host(m)),
	     is_known && is_mariadb && is_new ? NULL : "use MariaDB 10.6 or newer");
}

static bool has_right(struct maria *m, const char *right)
{
	bool has = false;

	return maria_has_right(m, right, &has, NULL) == 0 && has;
}

static void check_maria_rights(struct doctor *d, struct maria *m)
{
	_cleanup_(strbuf_done) struct strbuf missing = STRBUF_INIT(1024);
	const char *database = config_text(d->line->config, "mariadb.database");

	for (size_t i = 0; i < ARRAY_LEN(admin_rights); i++)
		if (!has_right(m, admin_rights[i]))
			strbuf_addf(&missing, "%s%s", missing.len ? ", " : "", admin_rights[i]);
	if (missing.len == 0)
		note(d, "the owner of the schema has the rights it needs", NULL);
	else
		note(d,
		     arena_printf(&d->arena, "the owner of the schema lacks on \"%s\": %s",
				  database, strbuf_str(&missing)),
		     "grant them: `aethermart doctor --grants` prints the statements (rights that "
		     "come by a role are not seen here)");
}

static void check_maria_settings(struct doctor *d, struct maria *m)
{
	bool is_read_only = false;
	int64_t value = 0;

	if (maria_flush_log(m, &value, NULL) == 0)
		note(d,
		     arena_printf(&d->arena, "innodb_flush_log_at_trx_commit is %" PRId64, value),
		     value == 1 ? NULL
				: "set it to 1 in the server's configuration: with other values a "
				  "crash loses commits");
	if (maria_is_read_only(m, &is_read_only, NULL) == 0)
		note(d, is_read_only ? "MariaDB is read-only" : "MariaDB takes writes",
		     is_read_only ? "name the primary server first in mariadb.hosts" : NULL);
}

/* --- MongoDB --------------------------------------------------------------------------------- */

static void check_mongo(struct doctor *d, struct mongo *m)
{
	struct mongo_server s = {0};
	struct err err = {0};
	int major = 0;

	if (mongo_probe(m, &s, &err) < 0) {
		if (endpoint_is_embedded_mongo(d->line->config))
			(void)err_hint(&err, "run `aethermart up`: a server of its own that does "
					     "not let it log in is started anew");
		note_error(d, "MongoDB", &err);
		return;
	}
	(void)sscanf(s.version, "%d", &major);
	note(d, arena_printf(&d->arena, "MongoDB %s", s.version),
	     major >= MONGO_MAJOR_MIN ? NULL : "use MongoDB 5.0 or newer");
	if (s.has_transactions)
		note(d, "MongoDB has transactions", NULL);
	else
		note(d, "MongoDB has no transactions: it is a standalone server",
		     "make it a replica set of one: set replication.replSetName (and, with "
		     "accounts, security.keyFile) in mongod.conf, restart it, run rs.initiate() "
		     "in mongosh, and add directConnection=true or replicaSet=NAME to mongodb.uri");
}

/* --- sync ------------------------------------------------------------------------------------ */

static void on_problem(void *arg, const char *what, const char *fix)
{
	note(arg, what, fix);
}

/* A folder that was thrown away, a machine that is gone: the hand-off keeps for it what changed. */
static int check_consumer(void *arg, const struct sync_consumer *c, struct err *err)
{
	struct doctor *d = arg;
	char age[CLOCK_TEXT_SIZE];

	(void)err;
	if (c->unseen_seconds < CONSUMER_UNSEEN_SECONDS)
		return 0;
	note(d,
	     arena_printf(&d->arena,
			  "the consumer \"%s\" (%s) was not there for %s; documents that "
			  "wait for it: %" PRId64,
			  c->consumer, c->kind,
			  clock_format_duration(c->unseen_seconds * 1000000, age), c->waiting),
	     arena_printf(&d->arena,
			  "start it, or forget it: `aethermart sync consumer drop %s`; should it "
			  "come back, it reads all documents anew",
			  c->consumer));
	return 0;
}

static void check_sync(struct doctor *d, struct maria *m, struct mongo *mongo)
{
	struct mapping_set set = {0};
	struct sync_status s = {0};
	struct err err = {0};
	unsigned before = d->n_bad;
	int64_t dead = 0;

	if (cli_load_mappings(d->line, m, &set, &err) < 0) {
		note_error(d, "mappings", &err);
		return;
	}
	note(d, arena_printf(&d->arena, "%zu mappings fit the schema", set.len), NULL);
	if (sync_check(m, mongo, &set, on_problem, d, &err) < 0)
		note_error(d, "sync", &err);
	else if (d->n_bad == before)
		note(d, "tables, queues and triggers of the sync are there and of these mappings",
		     NULL);
	if (sync_status_read(m, &s, NULL) == 0) {
		for (size_t i = 0; i < s.len; i++)
			dead += s.items[i].dead_letters;
		sync_status_done(&s);
		note(d, arena_printf(&d->arena, "%" PRId64 " dead letters", dead),
		     dead ? "see `aethermart sync dead-letter list`, remove the cause, then replay "
			    "or drop them"
			  : NULL);
	}
	if (sync_consumer_each(m, check_consumer, d, &err) < 0)
		note_error(d, "consumers", &err);
	mapping_set_done(&set);
}

/* --- embeddings ------------------------------------------------------------------------------ */

/* What of the shop's texts leaves the machine, and whether the remote provider can be opened at
 * all; it is not asked, for that may cost money. */
static void check_embed(struct doctor *d)
{
	_cleanup_(embedder_freep) struct embedder *e = NULL;
	const struct config *c = d->line->config;
	const char *endpoint = config_text(c, "embed.endpoint");
	const struct embedder_info *info;
	struct err err = {0};

	if (cstr_equal(config_text(c, "embed.provider"), "local")) {
		note(d,
		     endpoint
			 ? arena_printf(&d->arena,
					"texts are embedded on this machine; while an index of a "
					"remote model is still in use, queries and changed texts "
					"go to \"%s\" too",
					endpoint)
			 : "texts are embedded on this machine: none leaves it",
		     NULL);
		return;
	}
	if (embedder_open(c, &e, &err) < 0) {
		note_error(d, "embeddings", &err);
		return;
	}
	info = embedder_info(e);
	note(d,
	     arena_printf(&d->arena, "texts and queries go to %s at \"%s\" (%s, %u numbers)",
			  info->provider, info->endpoint, info->model, info->dimension),
	     NULL);
	note(d,
	     embedder_may_see_pii(e) ? "so do texts made from personal data (embed.pii: remote)"
				     : "texts made from personal data do not (embed.pii: local)",
	     NULL);
}

/* --- this machine ---------------------------------------------------------------------------- */

static void check_disk(struct doctor *d, const char *path)
{
	struct statvfs v;
	uint64_t bytes;

	if (!path || statvfs(path, &v) < 0)
		return;
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	note(d, arena_printf(&d->arena, "%" PRIu64 " MB are free for \"%s\"", bytes >> 20, path),
	     bytes >= FREE_BYTES_MIN
		 ? NULL
		 : "make room: below 1 GB the servers may stop for a full disk");
}

static void check_files(struct doctor *d)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	note(d,
	     arena_printf(&d->arena, "%llu files may be open", (unsigned long long)limit.rlim_cur),
	     limit.rlim_cur >= FILES_MIN
		 ? NULL
		 : "raise the limit (ulimit -n 4096) before `aethermart up`");
}

static void check_secrets(struct doctor *d, const char *var_dir)
{
	static const char *const users[] = {LAYOUT_ADMIN_USER, LAYOUT_SYNC_USER};
	static const char *const servers[] = {"mariadb", "mongodb"};
	unsigned n = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *path = layout_secret(&d->arena, var_dir, servers[i / 2], users[i % 2]);
		struct stat st;

		if (stat(path, &st) < 0 || !(st.st_mode & 077))
			continue;
		n++;
		note(d, arena_printf(&d->arena, "others may read \"%s\"", path),
		     arena_printf(&d->arena, "chmod 600 \"%s\"", path));
	}
	if (n == 0)
		note(d, "passwords are private", NULL);
}

static void check_machine(struct doctor *d)
{
	const char *var_dir = endpoint_var_dir(d->line->config, &d->arena);
	struct stack_status s = {0};
	struct err err = {0};

	if (stack_status_read(d->line->config, &s, &err) < 0) {
		note_error(d, "the embedded stack", &err);
		return;
	}
	for (int i = 0; i < STACK_PARTS; i++) {
		const struct stack_server *server = &s.servers[i];

		check_disk(d, server->dir);
		if (server->is_embedded)
			note(d,
			     arena_printf(&d->arena, "%s %s", server->name,
					  server->is_running ? "runs" : "does not run"),
			     server->is_running ? NULL : "run `aethermart up`");
	}
	check_files(d);
	check_secrets(d, var_dir);
	stack_status_done(&s);
}

static void check_stores(struct doctor *d)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	struct err err = {0};

	if (cli_open_maria(d->line, ENDPOINT_ADMIN, &m, &err) < 0) {
		note_error(d, "MariaDB", &err);
	} else {
		check_maria_version(d, m);
		check_maria_rights(d, m);
		check_maria_settings(d, m);
	}
	err_clear(&err);
	if (cli_open_mongo(d->line, ENDPOINT_ADMIN, &mongo, &err) < 0)
		note_error(d, "MongoDB", &err);
	else
		check_mongo(d, mongo);
	if (m && mongo)
		check_sync(d, m, mongo);
}

/* --- --grants -------------------------------------------------------------------------------- */

static void add_worker_grants(struct doctor *d, struct strbuf *b, const char *database,
			      const char *user)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct mapping_set set = {0};

	sync_add_read_grant(b, database, user);
	shop_order_desk_add_grant(b, database, user);
	quality_stream_add_grant(b, database, user);
	rbac_audit_add_grant(b, database, user);
	token_keeper_add_grants(b, database, user);
	if (cli_open_maria(d->line, ENDPOINT_ADMIN, &m, NULL) < 0 ||
	    cli_load_mappings(d->line, m, &set, NULL) < 0) {
		strbuf_addstr(b, "-- The rest names tables that do not exist yet: run this again "
				 "after `aethermart up`.\n");
		return;
	}
	(void)!sync_add_write_grants(b, m, &set, database, user, NULL);
	mapping_set_done(&set);
}

static int print_grants(struct doctor *d, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0), rights = STRBUF_INIT(0);
	const struct config *c = d->line->config;
	const char *database = config_text(c, "mariadb.database");
	const char *worker = config_text(c, "mariadb.user");
	const char *admin = config_text(c, "mariadb.admin_user");

	worker = worker ? worker : LAYOUT_SYNC_USER;
	admin = admin ? admin : LAYOUT_ADMIN_USER;
	for (size_t i = 0; i < ARRAY_LEN(admin_rights); i++)
		strbuf_addf(&rights, "%s%s", i ? ", " : "", admin_rights[i]);
	strbuf_addstr(&b, "-- MariaDB: the owner of the schema\n");
	maria_add_grant(&b, strbuf_str(&rights), database, NULL, admin);
	if (config_bool(c, "warehouse.enabled"))
		maria_add_grant(&b, strbuf_str(&rights), config_text(c, "warehouse.database"), NULL,
				admin);
	strbuf_addstr(&b, "-- MariaDB: the worker\n");
	add_worker_grants(d, &b, database, worker);
	strbuf_addf(&b,
		    "// MongoDB, in mongosh, for the owner and for the worker\n"
		    "db.getSiblingDB(\"admin\").grantRolesToUser(USER, [{role: \"readWrite\", db: "
		    "\"%s\"}, {role: \"dbAdmin\", db: \"%s\"}])\n",
		    config_text(c, "mongodb.database"), config_text(c, "mongodb.database"));
	if (d->line->json)
		return cli_print_json(json_pack("{s:s}", "grants", strbuf_str(&b)), err);
	fputs(strbuf_str(&b), stdout);
	return cli_flush(err);
}

/* --- the index ------------------------------------------------------------------------------- */

static void check_index(struct doctor *d)
{
	_cleanup_(json_decrefp) json_t *status = cli_worker_json(d->line, "/v1/index/status");
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	const char *hint, *problem;

	if (!status) /* no worker, or no index: nothing to say about it */
		return;
	problem = cli_index_problem(status, &hint);
	cli_index_summary(status, &b);
	note(d,
	     arena_printf(&d->arena, "search: %s%s%s", strbuf_str(&b), problem ? ": " : "",
			  problem ? problem : ""),
	     problem ? hint : NULL);
}

/* --- who may see what ------------------------------------------------------------------------ */

static int count_records(struct maria *db, const char *sql, bool *ret_any, struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(db, sql, NULL, 0, &n, err);

	*ret_any = n > 0;
	return r;
}

struct orphans {
	const struct access *access;
	size_t n;
};

static int count_orphan(void *arg, const struct token_row *row, struct err *err)
{
	struct orphans *o = arg;

	(void)err;
	o->n += !row->revoked_at[0] && !row->is_expired && !access_find_role(o->access, row->role);
	return 0;
}

static void check_tokens(struct doctor *d, struct cli_govern *g)
{
	struct orphans orphans = {.access = g->access};
	struct err err = {0};

	if (token_list(g->shop.db, count_orphan, &orphans, &err) < 0)
		note_error(d, "tokens", &err);
	else if (orphans.n)
		note(
		    d,
		    arena_printf(&d->arena,
				 "tokens: the roles of %zu are not in the rules: they open nothing",
				 orphans.n),
		    "`aethermart token list` shows them: revoke them, or name the roles");
}

static void note_differences(struct doctor *d, const char *server, const struct access_diff *diff)
{
	if (diff->n)
		note(d,
		     arena_printf(&d->arena, "access: %s and the rules differ in %zu things",
				  server, diff->n),
		     "`aethermart access check` names them");
	else
		note(d, arena_printf(&d->arena, "access: %s grants what the rules say", server),
		     NULL);
}

static int check_access_mongo(struct doctor *d, struct cli_govern *g, struct err *err)
{
	_cleanup_(cli_access_mongo_done) struct cli_access_mongo m = {0};
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	int r = cli_access_mongo_open(d->line, g, &m, err);

	if (r == 0)
		r = cli_access_mongo_compare(&m, &diff, err);
	if (r < 0)
		return r;
	note_differences(d, "MongoDB", &diff);
	note(d, arena_printf(&d->arena, "access: %s", cli_access_mongo_note(&m)), NULL);
	return 0;
}

static int compare_access(struct doctor *d, struct cli_govern *g, struct err *err)
{
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	bool is_in_mongo = false;
	int r = cli_access_compare(d->line, g, &diff, err);

	if (r == 0)
		note_differences(d, "MariaDB", &diff);
	if (r == 0)
		r = count_records(g->shop.db,
				  "SELECT COUNT(*) FROM Access_Objects WHERE object_kind LIKE "
				  "'mongo%'",
				  &is_in_mongo, err);
	return r == 0 && is_in_mongo ? check_access_mongo(d, g, err) : r;
}

/* Where the rules were never applied, nobody has a right by them. */
static void check_access(struct doctor *d)
{
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	struct err err = {0};
	bool is_applied = false;

	if (cli_govern_open(d->line, &g, &err) < 0 ||
	    count_records(g.shop.db, "SELECT COUNT(*) FROM Access_Objects", &is_applied, &err) < 0)
		return;
	if (is_applied && compare_access(d, &g, &err) < 0)
		note_error(d, "access", &err);
	else if (is_applied)
		check_tokens(d, &g);
}

struct witness {
	struct doctor *d;
	const char *path; /* NULL: not of ours */
	bool is_there, is_on;
	const char *events;
	struct strbuf other, fix; /* what differs from how our server was started */
};

static void add_statement(struct strbuf *b, const char *name, const char *value)
{
	bool is_bare = *value;

	for (const char *c = value; *c; c++)
		is_bare &= (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			   (*c >= '0' && *c <= '9');
	strbuf_addf(b, "%sSET GLOBAL %s = ", b->len ? "; " : "", name);
	if (is_bare)
		strbuf_addstr(b, value);
	else
		maria_add_literal(b, str_from(value));
}

static void compare_setting(struct witness *w, const char *name, const char *value,
			    const char *wanted)
{
	if (strcasecmp(value, wanted) == 0)
		return;
	strbuf_addf(&w->other, "%s %s is \"%s\", not \"%s\"", w->other.len ? "," : ":", name, value,
		    wanted);
	add_statement(&w->fix, name, wanted);
}

static void look_at_setting(void *arg, const char *name, const char *value)
{
	struct witness *w = arg;

	w->is_there = true;
	if (cstr_equal(name, "server_audit_logging"))
		w->is_on = cstr_equal(value, "ON");
	if (cstr_equal(name, "server_audit_events"))
		w->events = arena_strdup(&w->d->arena, value);
	if (w->path && cstr_equal(name, "server_audit_file_path"))
		compare_setting(w, name, value, w->path);
	for (const struct stack_setting *s = stack_witness_settings; w->path && s->name; s++)
		if (cstr_equal(name, s->name))
			compare_setting(w, name, value, s->value);
}

static void note_witness(struct doctor *d, const struct witness *w)
{
	if (!w->is_there)
		note(d,
		     "MariaDB has no plugin server_audit: what people do by SQL is not written "
		     "down",
		     w->path ? "run tools/setup, then `aethermart up`" : NULL);
	else if (w->other.len)
		note(d,
		     arena_printf(&d->arena,
				  "MariaDB does not write down all that people do by SQL%s",
				  strbuf_str(&w->other)),
		     strbuf_str(&w->fix));
	else if (!w->is_on)
		note(d,
		     "MariaDB's plugin server_audit is switched off: what people do by SQL is "
		     "not written down",
		     NULL);
	else
		note(d,
		     arena_printf(&d->arena, "MariaDB writes down what people do by SQL: %s%s",
				  w->events,
				  cli_witness_dir(d->line, &d->arena)
				      ? ""
				      : "; `serve` follows it when audit.dir names the folder"),
		     NULL);
}

/* On a server that is not ours it is up to who keeps it. */
static void check_witness(struct doctor *d)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct witness w = {.d = d, .events = ""};

	if (endpoint_is_embedded_maria(d->line->config) &&
	    config_bool(d->line->config, "stack.server_audit"))
		w.path = arena_printf(
		    &d->arena, "%s/" RBAC_FILE,
		    layout_audit(&d->arena,
				 arena_printf(&d->arena, "%s/mariadb",
					      endpoint_var_dir(d->line->config, &d->arena))));
	if (cli_open_maria(d->line, ENDPOINT_ADMIN, &m, NULL) == 0 &&
	    rbac_audit_variables(m, look_at_setting, &w, NULL) == 0)
		note_witness(d, &w); /* else it is told above */
	strbuf_done(&w.other);
	strbuf_done(&w.fix);
}

/* What `serve` found when it verified the audit. */
static void check_audit(struct doctor *d)
{
	_cleanup_(strbuf_done) struct strbuf wrong = STRBUF_INIT(0);
	const char *head =
	    arena_printf(&d->arena, "%s/audit.head", endpoint_var_dir(d->line->config, &d->arena));
	struct stat st;

	if (file_read(arena_printf(&d->arena, "%s" AUDIT_WRONG, head), &wrong, NULL) == 0)
		note(d,
		     arena_printf(&d->arena, "the audit is not as it was written: %.*s",
				  STR_ARGS(str_trim(strbuf_slice(&wrong)))),
		     "`aethermart audit verify` says whether it still is so: find out who changed "
		     "it, in v_rbac_audit and in a backup");
	else if (stat(arena_printf(&d->arena, "%s" AUDIT_VERIFIED, head), &st) == 0)
		note(d,
		     arena_printf(&d->arena, "the audit was verified %" PRId64 " hours ago",
				  (clock_wall_us() / 1000000 - (int64_t)st.st_mtim.tv_sec) / 3600),
		     NULL);
}

#define FULL_SOON_DAYS 14

static void check_growth(struct doctor *d)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	const char *dir = endpoint_var_dir(d->line->config, &d->arena);
	struct retention_forecast f;

	if (cli_open_maria(d->line, ENDPOINT_ADMIN, &m, NULL) < 0 ||
	    retention_foresee(m, RETENTION_DISK, cli_retention_free(dir), &f, NULL) < 0)
		return; /* told above, or there is no schema yet */
	cli_retention_forecast(&f, &b);
	note(d, strbuf_str(&b),
	     f.bytes_a_day > 0 && f.days_left < FULL_SOON_DAYS
		 ? "`aethermart retention show` tells what grows; keep it shorter, or make room"
		 : NULL);
}

/* --- the verb -------------------------------------------------------------------------------- */

static int print_checks(struct doctor *d, struct err *err)
{
	if (d->line->json)
		return cli_print_json(
		    json_pack("{s:b, s:O}", "ok", d->n_bad == 0, "checks", d->checks), err);
	for (size_t i = 0; i < json_array_size(d->checks); i++) {
		const json_t *c = json_array_get(d->checks, i);
		const char *fix = json_string_value(json_object_get(c, "fix"));

		cli_print_line(fix ? "FIX  " : "ok   ",
			       json_string_value(json_object_get(c, "what")));
		if (fix)
			cli_print_line("     -> ", fix);
	}
	return cli_flush(err);
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(json_decrefp) json_t *checks = json_array();
	struct doctor d = {.line = line, .checks = checks};
	int r;

	if (command_has(line, "grants")) {
		r = print_grants(&d, err);
	} else {
		check_machine(&d);
		check_stores(&d);
		check_embed(&d);
		check_index(&d);
		check_access(&d);
		check_witness(&d);
		check_audit(&d);
		check_growth(&d);
		r = print_checks(&d, err);
		if (r == 0 && d.n_bad)
			r = err_set(err, ERR_CONFLICT, "%u of %zu checks ask for a fix", d.n_bad,
				    json_array_size(checks));
	}
	arena_done(&d.arena);
	return r;
}

static const struct command_option options[] = {
    {.name = "grants",
     .type = COMMAND_FLAG,
     .help = "print the least rights that our accounts need on your own servers"},
    {0},
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "check everything that must hold, each with its fix",
    .options = options,
    .help = "Versions, rights, triggers, disk, limits, what the servers lack. The exit status is 0 "
	    "when nothing has to be fixed.\n\n  aethermart doctor\n  aethermart doctor --grants",
    .run = run,
};
