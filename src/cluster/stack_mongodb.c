/*
 * The embedded MongoDB: mongod as a one-node replica set when it is installed, else SecantusDB's
 * secantusd-rs, which speaks the same protocol over the same storage engine and presents itself as
 * a replica set of one. The kind is chosen once and remembered: the two cannot read each other's
 * data.
 *
 * Accounts. secantusd-rs is started once without authentication, on a port that nobody was told
 * yet; the accounts are made, and from then on it only runs with --auth. Should anybody have
 * slipped in an account meanwhile, the list of accounts shows it and the bring-up ends. mongod runs
 * with its key file from the start and lets the first account be made from the loopback only.
 *
 * Durability. secantusd-rs gets --sync-on-commit: without it an acknowledged write can be lost when
 * the process is killed.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cluster/endpoint.h"
#include "cluster/layout.h"
#include "cluster/stack_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define PART	       "mongodb"
#define REPLICA_SET    "aethermart"
#define KIND_MONGOD    "mongod"
#define KIND_SECANTUS  "secantusd-rs"
#define SECANTUS_CACHE "aethermart/secantus-0.5.3-beta.193/bin/secantusd-rs" /* of tools/setup */
#define USER_EXISTS    51003 /* the server's error "Location51003": user already exists */
#define KEY_BYTES      192   /* of mongod's key file; 1024 characters is its limit */

/* --- which program ---------------------------------------------------------------------------- */

static const char *cached_secantus(struct arena *arena)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	const char *path = NULL;

	if (cache && cache[0] == '/')
		path = arena_printf(arena, "%s/%s", cache, SECANTUS_CACHE);
	else if (home && home[0] == '/')
		path = arena_printf(arena, "%s/.cache/%s", home, SECANTUS_CACHE);
	return path && access(path, X_OK) == 0 ? path : NULL;
}

static const char *kind_of(const char *program)
{
	const char *name = strrchr(program, '/');

	return strstr(name ? name : program, "secantus") ? KIND_SECANTUS : KIND_MONGOD;
}

static const char *find_kind(struct stack *s, const char *kind)
{
	_cleanup_(mem_freep) char *found = process_find_program(kind);

	if (found)
		return arena_strdup(&s->arena, found);
	return cstr_equal(kind, KIND_SECANTUS) ? cached_secantus(&s->arena) : NULL;
}

static int find_program(struct stack *s, const char **ret, struct err *err)
{
	struct state_mongodb *m = &s->state.mongodb;
	const char *named = config_text(s->config, "stack.mongodb_server");
	const char *program = named;

	if (named && access(named, X_OK) < 0)
		return stack_no_program("stack.mongodb_server", named, err);
	if (!program && m->dir)
		program = find_kind(s, m->kind);
	else if (!program && !(program = find_kind(s, KIND_MONGOD)))
		program = find_kind(s, KIND_SECANTUS);
	if (!program) {
		(void)err_set(err, ERR_NOT_FOUND,
			      "no MongoDB server is installed: no %s%s on the "
			      "PATH or in the cache folder",
			      m->dir ? m->kind : KIND_MONGOD " and no " KIND_SECANTUS,
			      m->dir ? ", which made the data that is there," : "");
		return err_hint(err,
				"run tools/setup, name the program in stack.mongodb_server, or "
				"your own server in mongodb.uri");
	}
	if (m->dir && !cstr_equal(kind_of(program), m->kind)) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "the data in \"%s\" was made by %s, which \"%s\" is not", m->dir,
			      m->kind, program);
		return err_hint(err,
				"go back to %s, or run `aethermart reset` to build the "
				"embedded stack anew",
				m->kind);
	}
	m->kind = kind_of(program);
	*ret = program;
	return 0;
}

/* --- starting --------------------------------------------------------------------------------- */

static int write_own(struct stack *s, const char *path, const char *text, struct err *err)
{
	int r = file_write_atomic(path, text, strlen(text), 0600, err);

	if (r == 0 && s->account.is_other && lchown(path, s->account.uid, s->account.gid) < 0)
		r = err_set(err, ERR_PERMISSION, "could not give \"%s\" to account \"%s\": %s",
			    path, s->account.name, strerror(errno));
	return r;
}

static bool is_secantus(const struct stack *s)
{
	return cstr_equal(s->state.mongodb.kind, KIND_SECANTUS);
}

/* Our own settings file, so that it does not go looking for one in /etc or at home. */
static const char *settings_path(struct stack *s)
{
	return arena_printf(&s->arena, "%s/secantusd.toml", s->state.mongodb.dir);
}

static const char *key_path(struct stack *s)
{
	return arena_printf(&s->arena, "%s/key", s->state.mongodb.dir);
}

static const char *const *arena_list(struct stack *s, const char *const *list, size_t size)
{
	const char **ret = arena_alloc(&s->arena, size);

	memcpy(ret, list, size);
	return ret;
}

static const char *const *secantus_argv(struct stack *s)
{
	const struct state_mongodb *m = &s->state.mongodb;
	int64_t mib = config_int(s->config, "stack.mongodb_memory") >> 20;
	const char *argv[] = {KIND_SECANTUS,
			      "--config",
			      settings_path(s),
			      "--host",
			      "127.0.0.1",
			      "--port",
			      arena_printf(&s->arena, "%u", m->port),
			      "--storage-path",
			      arena_printf(&s->arena, "%s/data", m->dir),
			      "--cache-size",
			      arena_printf(&s->arena, "%" PRId64 "M", mib),
			      "--sync-on-commit",
			      m->has_users ? "--auth" : NULL,
			      NULL};

	return arena_list(s, argv, sizeof(argv));
}

static const char *const *mongod_argv(struct stack *s)
{
	const struct state_mongodb *m = &s->state.mongodb;
	double gib = (double)config_int(s->config, "stack.mongodb_memory") / (1024.0 * 1024 * 1024);
	const char *argv[] = {KIND_MONGOD,
			      "--bind_ip",
			      "127.0.0.1",
			      "--port",
			      arena_printf(&s->arena, "%u", m->port),
			      "--nounixsocket",
			      "--dbpath",
			      arena_printf(&s->arena, "%s/data", m->dir),
			      "--wiredTigerCacheSizeGB",
			      arena_printf(&s->arena, "%.2f", gib),
			      "--replSet",
			      REPLICA_SET,
			      "--keyFile",
			      key_path(s),
			      "--auth",
			      NULL};

	return arena_list(s, argv, sizeof(argv));
}

/* What it is started with; in the arena, ended by NULL. */
static const char *const *server_argv(struct stack *s)
{
	return is_secantus(s) ? secantus_argv(s) : mongod_argv(s);
}

static int make_key(struct stack *s, const char *path, struct err *err)
{
	_cleanup_(mem_freep) char *key = random_password(KEY_BYTES);

	return file_exists(path) ? 0 : write_own(s, path, key, err);
}

static int make_files(struct stack *s, struct err *err)
{
	return is_secantus(s) ? write_own(s, settings_path(s),
					  "# All settings are on the command line.\n", err)
			      : make_key(s, key_path(s), err);
}

static int start_program(struct stack *s, const char *program, struct process *ret, struct err *err)
{
	struct process_spec spec = {
	    .name = s->state.mongodb.kind,
	    .program = program,
	    .argv = server_argv(s),
	    .dir = s->state.mongodb.dir,
	    .log_path = layout_log(&s->arena, s->var_dir, PART),
	    .pid_path = layout_pid(&s->arena, s->var_dir, PART),
	    .has_account = s->account.is_other,
	    .uid = s->account.uid,
	    .gid = s->account.gid,
	};

	return process_start(&spec, ret, err);
}

static bool is_ready(void *arg)
{
	const struct state_mongodb *m = arg;

	return stack_accepts_port(m->port);
}

static int start_server(struct stack *s, const char *program, struct process *ret, struct err *err)
{
	int r = make_files(s, err);

	if (r == 0)
		r = start_program(s, program, ret, err);
	return r < 0 ? r : stack_wait_ready(s, PART, ret, is_ready, &s->state.mongodb, err);
}

static int stop_server(struct stack *s, struct err *err)
{
	return process_stop(s->state.mongodb.kind, layout_pid(&s->arena, s->var_dir, PART),
			    config_int(s->config, "stack.stop_timeout"), NULL, err);
}

/* --- replica set and accounts ----------------------------------------------------------------- */

/* As nobody: before there are accounts. */
static int open_bare(struct stack *s, struct mongo **ret, struct err *err)
{
	struct mongo_options o = {
	    .uri = layout_mongo_uri(&s->arena, s->state.mongodb.port),
	    .database = config_text(s->config, "mongodb.database"),
	    .pool_max = 1,
	};

	return mongo_open(&o, ret, err);
}

static int open_admin(struct stack *s, struct mongo **ret, struct err *err)
{
	struct mongo_options o = {0};
	int r = endpoint_mongo(s->config, ENDPOINT_ADMIN, &s->arena, &o, err);

	o.pool_max = 1;
	return r < 0 ? r : mongo_open(&o, ret, err);
}

static int run_and_drop(struct mongo *m, bson_t *command, struct err *err)
{
	int r = mongo_command(m, "admin", command, NULL, err);

	bson_destroy(command);
	return r;
}

static bool is_primary(struct mongo *m)
{
	bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
	bson_t reply;
	bson_iter_t it;
	bool yes = false;

	if (mongo_command(m, "admin", hello, &reply, NULL) == 0) {
		yes =
		    bson_iter_init_find(&it, &reply, "isWritablePrimary") && bson_iter_as_bool(&it);
		bson_destroy(&reply);
	}
	bson_destroy(hello);
	return yes;
}

static bool is_primary_ready(void *arg)
{
	return is_primary(arg);
}

/* mongod: makes the replica set of one, and waits until it has elected itself. */
static int init_replica_set(struct stack *s, struct mongo *m, const struct process *p,
			    struct err *err)
{
	const char *host = arena_printf(&s->arena, "127.0.0.1:%u", s->state.mongodb.port);
	struct err why = {0};
	int r = run_and_drop(m,
			     BCON_NEW("replSetInitiate", "{", "_id", BCON_UTF8(REPLICA_SET),
				      "members", "[", "{", "_id", BCON_INT32(0), "host",
				      BCON_UTF8(host), "}", "]", "}"),
			     &why);

	if (r < 0 && why.native != 23) { /* AlreadyInitialized: an earlier try was cut off */
		if (err)
			*err = why;
		return err_context(err, "making the replica set of one");
	}
	return stack_wait_ready(s, PART, p, is_primary_ready, m, err);
}

/* mongod keeps its own address in the replica set; after a change of port it must learn it anew. */
static int fix_replica_set(struct stack *s, struct mongo *m, const struct process *p,
			   struct err *err)
{
	const char *host = arena_printf(&s->arena, "127.0.0.1:%u", s->state.mongodb.port);
	bson_t *get = BCON_NEW("replSetGetConfig", BCON_INT32(1));
	bson_t reply;
	bson_iter_t it, old, version;
	int r = mongo_command(m, "admin", get, &reply, err);

	bson_destroy(get);
	if (r < 0)
		return err_context(err, "reading the replica set");
	if (bson_iter_init(&it, &reply) &&
	    bson_iter_find_descendant(&it, "config.members.0.host", &old) &&
	    bson_iter_init(&it, &reply) &&
	    bson_iter_find_descendant(&it, "config.version", &version) &&
	    !cstr_equal(bson_iter_utf8(&old, NULL), host))
		r = run_and_drop(m,
				 BCON_NEW("replSetReconfig", "{", "_id", BCON_UTF8(REPLICA_SET),
					  "version",
					  BCON_INT32((int)bson_iter_as_int64(&version) + 1),
					  "members", "[", "{", "_id", BCON_INT32(0), "host",
					  BCON_UTF8(host), "}", "]", "}", "force", BCON_BOOL(true)),
				 err);
	bson_destroy(&reply);
	if (r < 0)
		return err_context(err, "telling the replica set its new port");
	return stack_wait_ready(s, PART, p, is_primary_ready, m, err);
}

static bson_t *user_command(const char *verb, const char *user, const char *password,
			    const char *database)
{
	if (!database)
		return BCON_NEW(verb, BCON_UTF8(user), "pwd", BCON_UTF8(password), "roles", "[",
				"{", "role", BCON_UTF8("root"), "db", BCON_UTF8("admin"), "}", "]");
	return BCON_NEW(verb, BCON_UTF8(user), "pwd", BCON_UTF8(password), "roles", "[", "{",
			"role", BCON_UTF8("readWrite"), "db", BCON_UTF8(database), "}", "{", "role",
			BCON_UTF8("dbAdmin"), "db", BCON_UTF8(database), "}", "]");
}

/* `database` NULL: the administrator. An account of an interrupted bring-up gets our password. */
static int make_user(struct stack *s, struct mongo *m, const char *user, const char *database,
		     struct err *err)
{
	const char *path = layout_secret(&s->arena, s->var_dir, PART, user);
	const char *password = NULL;
	struct err why = {0};
	int r = folder_secret(path, &s->arena, &password, err);

	if (r < 0)
		return r;
	r = run_and_drop(m, user_command("createUser", user, password, database), &why);
	if (r < 0 && (why.native == USER_EXISTS || strstr(why.message, "already exists"))) {
		err_clear(&why);
		r = run_and_drop(m, user_command("updateUser", user, password, database), &why);
	}
	if (r < 0 && err)
		*err = why;
	return r < 0 ? err_context(err, "making the account \"%s\"", user) : 0;
}

/* The accounts that exist must be ours, both of them and no other. */
static int check_users(struct mongo *m, struct err *err)
{
	bson_t *command = BCON_NEW("usersInfo", BCON_INT32(1));
	bson_t reply;
	bson_iter_t it, users, user;
	unsigned n_ours = 0, n_others = 0;
	int r = mongo_command(m, "admin", command, &reply, err);

	bson_destroy(command);
	if (r < 0)
		return err_context(err, "listing its accounts");
	if (bson_iter_init_find(&it, &reply, "users") && bson_iter_recurse(&it, &users))
		while (bson_iter_next(&users)) {
			const char *name =
			    bson_iter_recurse(&users, &user) && bson_iter_find(&user, "user")
				? bson_iter_utf8(&user, NULL)
				: "";

			if (cstr_equal(name, LAYOUT_ADMIN_USER) ||
			    cstr_equal(name, LAYOUT_SYNC_USER))
				n_ours++;
			else
				n_others++;
		}
	bson_destroy(&reply);
	if (n_ours == 2 && n_others == 0)
		return 0;
	(void)err_set(err, ERR_PERMISSION,
		      "the new MongoDB has %u accounts that are not ours: somebody on this machine "
		      "came in while they were made",
		      n_others);
	return err_hint(err, "run `aethermart reset` to build the embedded stack anew");
}

/* First start. Afterwards it runs with authentication, and has both accounts. */
static int make_accounts(struct stack *s, const char *program, struct process *p, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *bare = NULL;
	_cleanup_(mongo_closep) struct mongo *admin = NULL;
	const char *database = config_text(s->config, "mongodb.database");
	int r = open_bare(s, &bare, err);

	if (r == 0 && !is_secantus(s))
		r = init_replica_set(s, bare, p, err);
	if (r == 0)
		r = make_user(s, bare, LAYOUT_ADMIN_USER, NULL, err);
	if (r == 0 && !is_secantus(s)) /* the loopback exception ends with the first account */
		r = open_admin(s, &admin, err);
	if (r == 0)
		r = make_user(s, admin ? admin : bare, LAYOUT_SYNC_USER, database, err);
	if (r < 0)
		return r;
	s->state.mongodb.has_users = true;
	r = stack_remember(s, err);
	if (r == 0 && is_secantus(s)) {
		r = stop_server(s, err);
		if (r == 0)
			r = start_server(s, program, p, err);
	}
	return r;
}

/* --- up --------------------------------------------------------------------------------------- */

static int prepare(struct stack *s, struct err *err)
{
	struct state_mongodb *m = &s->state.mongodb;
	int r = folder_server(s->var_dir, PART, &s->account, &s->arena, &m->dir, err);

	if (r == 0)
		r = folder_make_own(arena_printf(&s->arena, "%s/data", m->dir), &s->account, err);
	if (r == 0)
		r = stack_choose_port(s, PART, &m->port, err);
	return r < 0 ? r : stack_remember(s, err);
}

static int check_login(struct stack *s, const struct process *p, bool is_new, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *m = NULL;
	struct mongo_server server = {0};
	int r = open_admin(s, &m, err);

	if (r == 0 && !is_secantus(s))
		r = fix_replica_set(s, m, p, err);
	if (r == 0)
		r = mongo_probe(m, &server, err);
	if (r < 0)
		return err_context(err, "logging in");
	if (!server.has_transactions)
		return err_set(err, ERR_UNSUPPORTED, "%s has no transactions",
			       s->state.mongodb.kind);
	s->state.mongodb.version = arena_strdup(&s->arena, server.version);
	return is_new ? check_users(m, err) : 0;
}

int stack_mongodb_look(struct stack *s, struct err *err)
{
	const char *program = NULL;
	struct process p;

	if (process_find(layout_pid(&s->arena, s->var_dir, PART), &p, NULL) == 0)
		return 0;
	return find_program(s, &program, err);
}

/* What still runs without accounts is left from a bring-up that was cut off, and what runs
 * elsewhere from before the folder was moved. */
static int start_anew(struct stack *s, const char **ret_program, struct process *p, struct err *err)
{
	int r = find_program(s, ret_program, err);

	if (r == 0)
		r = stop_server(s, err);
	if (r == 0)
		r = prepare(s, err);
	return r < 0 ? r : start_server(s, *ret_program, p, err);
}

/*
 * Why a server that runs with its accounts is started anew; NULL: it stays. One that does not let
 * in who made it is broken: after a full disk its storage has given up while the process lives on,
 * and answers each login with "Authentication failed".
 */
static const char *why_anew(struct stack *s, const struct process *p)
{
	struct err ignored = {0};
	int r;

	if (!stack_runs_as(p, server_argv(s)))
		return "restarted, its options changed:";
	r = check_login(s, p, false, &ignored);
	return r == -ERR_PERMISSION || r == -ERR_UNAVAILABLE || r == -ERR_TIMEOUT
		   ? "restarted, it did not let us log in:"
		   : NULL;
}

int stack_mongodb_up(struct stack *s, struct err *err)
{
	const char *pid_path = layout_pid(&s->arena, s->var_dir, PART);
	struct state_mongodb *m = &s->state.mongodb;
	int64_t since = clock_monotonic_us();
	const char *program = NULL, *why = NULL;
	struct process p;
	bool is_running =
	    stack_is_at(s, PART, m->dir) && m->has_users && process_find(pid_path, &p, NULL) == 0;
	bool is_new = !m->has_users;
	int r = 0;

	if (is_running)
		why = why_anew(s, &p);
	is_running = is_running && !why;
	if (!is_running)
		r = start_anew(s, &program, &p, err);
	if (r == 0 && is_new)
		r = make_accounts(s, program, &p, err);
	if (r == 0)
		r = check_login(s, &p, is_new, err);
	if (r < 0)
		return r;
	stack_step(s, PART, since, "%s %s %s on 127.0.0.1:%u",
		   is_running ? "runs:"
		   : why      ? why
			      : "started",
		   m->kind, m->version, m->port);
	s->n_started += !is_running;
	return stack_remember(s, err);
}
