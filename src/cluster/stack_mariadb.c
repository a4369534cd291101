/*
 * The embedded MariaDB.
 *
 * Its data is made by `mariadbd --bootstrap` from the system tables' SQL that comes with the
 * server, in data.new, which becomes data when all is done: a bring-up that was interrupted begins
 * anew. The accounts are part of the bootstrap, so there is no moment in which the server listens
 * without passwords. Statements with passwords reach it through a file that exists only in memory;
 * they are made here, the others are scripts of sql/.
 *
 * root may come by the socket only. aethermart_admin (owns the schema) and mongo_sync_user (the
 * worker; its rights are granted when the tables exist) may come from "%", which on a server that
 * is bound to the loopback means: from this machine, by socket or TCP, as one account either way.
 * Nothing is read from the machine's own configuration (--no-defaults).
 */
#include "base/clock.h"
#include "base/file.h"
#include "cluster/endpoint.h"
#include "cluster/layout.h"
#include "cluster/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define PART		     "mariadb"
#define SQL_FILE_MAX	     ((size_t)8 << 20) /* the largest, the sys schema, has half a megabyte */
#define BOOTSTRAP_TIMEOUT_MS 300000	       /* half a second normally; slow disks exist */
#define WITNESS_PLUGIN	     "server_audit.so"
#define WITNESS_CACHE	     "aethermart/mariadb-plugin" /* of tools/setup */
#define WITNESS_MAX	     ((size_t)8 << 20)		 /* the plugin has 60 kB */

/*
 * What of the outside witness says what it sees: doctor compares it. All statements, for the
 * plugin's classes (QUERY_DDL, ...) go by the first words, and know neither KILL nor SET GLOBAL,
 * nor any behind a comment. Not the accounts that replicate and keep the stores in step, which
 * would drown the others.
 */
#define WITNESS_SETTINGS(X)                                                    \
	X("server_audit_logging", "ON")                                        \
	X("server_audit_events", "CONNECT,QUERY,TABLE")                        \
	X("server_audit_excl_users", LAYOUT_SYNC_USER "," LAYOUT_REPLICA_USER) \
	X("server_audit_query_log_limit", "1024")                              \
	X("server_audit_output_type", "file")
#define AS_ARGUMENT(name, value) ("--" name "=" value),
#define AS_SETTING(name, value)	 {name, value},

const struct stack_setting stack_witness_settings[] = {
    {"server_audit_incl_users", ""}, /* as an argument it would empty the other list, too */
    WITNESS_SETTINGS(AS_SETTING){0}};

/* In the order of mariadb-install-db; without the help texts and the test database. */
static const char *const system_files[] = {
    "mysql_system_tables.sql",	    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
};

static const char *const system_dirs[] = {"/usr/share/mysql", "/usr/share/mariadb",
					  "/usr/local/share/mysql", "/usr/local/share/mariadb"};

static int no_system_files(struct err *err)
{
	(void)err_set(err, ERR_NOT_FOUND,
		      "the SQL files of MariaDB's system tables are not installed (no \"%s\" in "
		      "\"%s\")",
		      system_files[0], system_dirs[0]);
	return err_hint(err, "run tools/setup, or install the package mariadb-server-core");
}

static int add_system_sql(struct strbuf *b, struct err *err)
{
	for (size_t d = 0; d < ARRAY_LEN(system_dirs); d++) {
		_cleanup_(mem_freep) char *first =
		    mem_printf("%s/%s", system_dirs[d], system_files[0]);

		if (!file_exists(first))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(system_files); i++) {
			_cleanup_(mem_freep) char *path =
			    mem_printf("%s/%s", system_dirs[d], system_files[i]);
			int r = file_read(path, b, err);

			if (r < 0)
				return r;
			strbuf_addch(b, '\n');
		}
		return 0;
	}
	return no_system_files(err);
}

/* The bootstrap reader wants each statement to end its line. */
static int add_account_sql(struct stack *s, struct strbuf *b, struct err *err)
{
	static const char *const users[] = {LAYOUT_ADMIN_USER, LAYOUT_SYNC_USER};
	const char *password;
	int r = folder_secret(layout_secret(&s->arena, s->var_dir, PART, "root"), &s->arena,
			      &password, err);

	if (r < 0)
		return r;
	strbuf_addstr(b, cluster_sql_bootstrap_accounts);
	strbuf_addstr(b, "ALTER USER root@localhost IDENTIFIED BY ");
	maria_add_literal(b, str_from(password));
	strbuf_addstr(b, ";\n");
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		r = folder_secret(layout_secret(&s->arena, s->var_dir, PART, users[i]), &s->arena,
				  &password, err);
		if (r < 0)
			return r;
		strbuf_addf(b, "CREATE USER %s@'%%' IDENTIFIED BY ", users[i]);
		maria_add_literal(b, str_from(password));
		strbuf_addstr(b, ";\n");
	}
	strbuf_addstr(b, "GRANT ALL PRIVILEGES ON *.* TO " LAYOUT_ADMIN_USER
			 "@'%' WITH GRANT OPTION;\n");
	strbuf_addstr(b, "CREATE DATABASE ");
	maria_add_identifier(b, config_text(s->config, "mariadb.database"));
	strbuf_addstr(b, " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n");
	return strbuf_check(b, "the bootstrap of MariaDB", err);
}

static void account_into(const struct stack *s, struct process_spec *spec)
{
	spec->has_account = s->account.is_other;
	spec->uid = s->account.uid;
	spec->gid = s->account.gid;
}

static int run_bootstrap(struct stack *s, const char *program, const char *dir, struct str sql,
			 struct err *err)
{
	const char *argv[] = {"mariadbd",
			      "--no-defaults",
			      "--bootstrap",
			      arena_printf(&s->arena, "--datadir=%s/data.new", dir),
			      arena_printf(&s->arena, "--tmpdir=%s/tmp", dir),
			      "--innodb-log-file-size=128M",
			      "--character-set-server=utf8mb4",
			      "--collation-server=utf8mb4_unicode_ci",
			      "--log-warnings=1",
			      NULL};
	const char *log = layout_log(&s->arena, s->var_dir, PART);
	struct process_spec spec = {.name = "mariadbd --bootstrap",
				    .program = program,
				    .argv = argv,
				    .dir = dir,
				    .log_path = log,
				    .input = sql};
	int status = 0, r;

	account_into(s, &spec);
	r = process_run(&spec, BOOTSTRAP_TIMEOUT_MS, &status, err);
	if (r < 0 || status == 0)
		return r;
	return stack_log_error("mariadbd could not make its system tables", log, err);
}

static int make_data(struct stack *s, const char *program, const char *dir, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(SQL_FILE_MAX);
	const char *fresh = arena_printf(&s->arena, "%s/data.new", dir);
	const char *data = arena_printf(&s->arena, "%s/data", dir);
	int64_t since = clock_monotonic_us();
	int r;

	strbuf_addstr(&sql, cluster_sql_bootstrap_begin);
	r = add_system_sql(&sql, err);
	if (r == 0)
		r = add_account_sql(s, &sql, err);
	if (r == 0)
		r = dir_remove(fresh, err);
	if (r == 0)
		r = folder_make_own(fresh, &s->account, err);
	if (r == 0)
		r = run_bootstrap(s, program, dir, strbuf_slice(&sql), err);
	if (r == 0 && rename(fresh, data) < 0)
		r = err_set(err, ERR_IO, "could not rename \"%s\": %s", fresh, strerror(errno));
	if (sql.data)
		explicit_bzero(sql.data, sql.len);
	if (r == 0)
		stack_step(s, PART, since, "made its data in %s", data);
	return r;
}

/* --- the outside witness ---------------------------------------------------------------------- */

static const char *const plugin_dirs[] = {"/usr/lib/mysql/plugin", "/usr/lib64/mysql/plugin",
					  "/usr/lib/mariadb/plugin", "/usr/lib64/mariadb/plugin",
					  "/usr/local/lib/mysql/plugin"};

static const char *cached_plugin(struct arena *arena)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (cache && cache[0] == '/')
		return arena_printf(arena, "%s/%s/%s", cache, WITNESS_CACHE, WITNESS_PLUGIN);
	if (home && home[0] == '/')
		return arena_printf(arena, "%s/.cache/%s/%s", home, WITNESS_CACHE, WITNESS_PLUGIN);
	return NULL;
}

/*
 * The folder that holds the plugin; `ret` NULL: there is none, or it is not wanted. What
 * tools/setup brought stands below somebody's home, where the server's account may not enter: it is
 * copied.
 */
static int find_witness(struct stack *s, const char *dir, const char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(WITNESS_MAX);
	const char *copy = arena_printf(&s->arena, "%s/plugin", dir);
	const char *cached = cached_plugin(&s->arena);
	int r;

	*ret = NULL;
	if (!config_bool(s->config, "stack.server_audit"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(plugin_dirs); i++) {
		if (file_exists(arena_printf(&s->arena, "%s/%s", plugin_dirs[i], WITNESS_PLUGIN))) {
			*ret = plugin_dirs[i];
			return 0;
		}
	}
	/* Another user's `up` may not see what was copied before. */
	if (!cached || !file_exists(cached)) {
		if (file_exists(arena_printf(&s->arena, "%s/%s", copy, WITNESS_PLUGIN)))
			*ret = copy;
		return 0;
	}
	r = folder_make_own(copy, &s->account, err);
	if (r == 0)
		r = file_read(cached, &b, err);
	if (r == 0)
		r = file_write_atomic(arena_printf(&s->arena, "%s/%s", copy, WITNESS_PLUGIN),
				      strbuf_str(&b), b.len, 0644, err);
	*ret = r == 0 ? copy : NULL;
	return r;
}

/* Tells that there is none when the server is about to start: `up` of one that runs is silent. */
static int prepare_witness(struct stack *s, bool is_running, const char **ret_plugin_dir,
			   struct err *err)
{
	const struct state_mariadb *m = &s->state.mariadb;
	int r = find_witness(s, m->dir, ret_plugin_dir, err);

	if (r == 0 && *ret_plugin_dir)
		r = folder_make_own(layout_audit(&s->arena, m->dir), &s->account, err);
	if (r == 0 && !is_running && !*ret_plugin_dir &&
	    config_bool(s->config, "stack.server_audit"))
		stack_step(s, PART, clock_monotonic_us(),
			   "without its audit: %s is not installed (run tools/setup)",
			   WITNESS_PLUGIN);
	return r;
}

/* What it is started with; in the arena, ended by NULL. `plugin_dir` NULL: without its audit. */
static const char *const *server_argv(struct stack *s, const char *plugin_dir)
{
	const struct state_mariadb *m = &s->state.mariadb;
	const char *argv[] = {
	    "mariadbd",
	    "--no-defaults",
	    arena_printf(&s->arena, "--datadir=%s/data", m->dir),
	    arena_printf(&s->arena, "--tmpdir=%s/tmp", m->dir),
	    arena_printf(&s->arena, "--secure-file-priv=%s/tmp", m->dir),
	    arena_printf(&s->arena, "--pid-file=%s/mariadbd.pid", m->dir),
	    arena_printf(&s->arena, "--socket=%s", m->socket),
	    arena_printf(&s->arena, "--port=%u", m->port),
	    "--bind-address=127.0.0.1",
	    "--skip-name-resolve",
	    "--character-set-server=utf8mb4",
	    "--collation-server=utf8mb4_unicode_ci",
	    "--default-time-zone=+00:00",
	    "--local-infile=ON",
	    "--event-scheduler=ON",
	    "--max-connections=300",
	    "--max-allowed-packet=64M",
	    "--performance-schema=OFF",
	    arena_printf(&s->arena, "--innodb-buffer-pool-size=%lld",
			 (long long)config_int(s->config, "stack.mariadb_memory")),
	    "--innodb-log-file-size=128M",
	    "--innodb-flush-log-at-trx-commit=1",
	    "--innodb-autoinc-lock-mode=2",
	    "--innodb-io-capacity=1000",
	    "--query-cache-size=0", /* off by default; what it answers, the witness does not see */
	    /* As many statements at once as there are processors; one that goes on for longer
	     * than 10 ms holds up no other. Measured in docs/benchmarks/README.md. */
	    "--thread-handling=pool-of-threads",
	    "--thread-pool-stall-limit=10",
	    /* The binary log with all that replicas and readers of it need. */
	    "--server-id=1",
	    "--log-bin=binlog",
	    "--binlog-format=ROW",
	    "--binlog-row-image=FULL",
	    "--binlog-row-metadata=FULL",
	    "--binlog-checksum=CRC32",
	    "--gtid-strict-mode=ON",
	    "--log-slave-updates=ON",
	    "--sync-binlog=1",
	    "--max-binlog-size=256M",
	    arena_printf(&s->arena, "--binlog-expire-logs-seconds=%lld",
			 (long long)config_int(s->config, "stack.binlog_keep") / 1000),
	    /* The outside witness, which nobody unloads. */
	    plugin_dir ? "--plugin-load-add=server_audit" : NULL,
	    arena_printf(&s->arena, "--plugin-dir=%s", plugin_dir ? plugin_dir : ""),
	    "--server-audit=FORCE_PLUS_PERMANENT",
	    arena_printf(&s->arena, "--server-audit-file-path=%s/server_audit.log",
			 layout_audit(&s->arena, m->dir)),
	    "--server-audit-file-rotate-size=10M",
	    "--server-audit-file-rotations=20",
	    WITNESS_SETTINGS(AS_ARGUMENT) NULL,
	};
	const char **ret = arena_alloc(&s->arena, sizeof(argv));

	memcpy(ret, argv, sizeof(argv));
	return ret;
}

static int start_server(struct stack *s, const char *program, const char *plugin_dir,
			struct process *ret, struct err *err)
{
	struct process_spec spec = {
	    .name = "mariadbd",
	    .program = program,
	    .argv = server_argv(s, plugin_dir),
	    .dir = s->state.mariadb.dir,
	    .log_path = layout_log(&s->arena, s->var_dir, PART),
	    .pid_path = layout_pid(&s->arena, s->var_dir, PART),
	};

	account_into(s, &spec);
	return process_start(&spec, ret, err);
}

struct waiting {
	const char *socket;
	pid_t pid;
};

/* The socket may be another server's: of a copied folder, or a short one under /tmp. */
static bool is_ready(void *arg)
{
	const struct waiting *w = arg;

	return stack_accepts_socket(w->socket, w->pid);
}

/* Logs in as the schema's owner: the proof that server, account and password belong together. No
 * database is selected: one that mariadb.database newly names is made later. */
static int check_login(struct stack *s, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct maria_options o = {0};
	int r = endpoint_maria(s->config, ENDPOINT_ADMIN, &s->arena, &o, err);

	o.database = NULL;
	if (r == 0)
		r = maria_open(&o, &m, err);
	if (r < 0)
		return err_context(err, "logging in");
	s->state.mariadb.version = arena_strdup(&s->arena, maria_server_version(m));
	return 0;
}

static int find_program(struct stack *s, const char **ret, struct err *err)
{
	const char *named = config_text(s->config, "stack.mariadb_server");
	_cleanup_(mem_freep) char *found = named ? NULL : process_find_program("mariadbd");

	if (named && access(named, X_OK) < 0)
		return stack_no_program("stack.mariadb_server", named, err);
	*ret = named ? named : found ? arena_strdup(&s->arena, found) : NULL;
	if (*ret)
		return 0;
	(void)err_set(err, ERR_NOT_FOUND, "mariadbd is not installed");
	return err_hint(err, "run tools/setup, or name your own server in mariadb.hosts");
}

/* Folder, data, port: all that must be there before the start. */
static int prepare(struct stack *s, const char *program, struct err *err)
{
	struct state_mariadb *m = &s->state.mariadb;
	int r = folder_server(s->var_dir, PART, &s->account, &s->arena, &m->dir, err);

	if (r < 0)
		return r;
	m->socket = layout_socket(&s->arena, m->dir, "mariadb.sock");
	r = folder_socket_prepare(m->socket, &s->account, err);
	if (r == 0)
		r = folder_make_own(arena_printf(&s->arena, "%s/tmp", m->dir), &s->account, err);
	if (r == 0 && !file_exists(arena_printf(&s->arena, "%s/data", m->dir)))
		r = make_data(s, program, m->dir, err);
	if (r == 0)
		r = stack_choose_port(s, PART, &m->port, err);
	return r < 0 ? r : stack_remember(s, err);
}

int stack_mariadb_look(struct stack *s, struct err *err)
{
	const char *program = NULL;
	struct process p;

	if (process_find(layout_pid(&s->arena, s->var_dir, PART), &p, NULL) == 0)
		return 0;
	return find_program(s, &program, err);
}

/*
 * Why a server that runs is started anew: with other options it is not the one that this program
 * looks after (one of an older program may lack the witness). NULL: it stays. The program itself is
 * not compared: a package that was upgraded restarts its server when it likes.
 */
static const char *why_anew(struct stack *s, const struct process *p, const char *plugin_dir)
{
	return stack_runs_as(p, server_argv(s, plugin_dir)) ? NULL
							    : "restarted, its options changed:";
}

static int stop_server(struct stack *s, struct err *err)
{
	return process_stop(PART, layout_pid(&s->arena, s->var_dir, PART),
			    config_int(s->config, "stack.stop_timeout"), NULL, err);
}

/* From what may still run elsewhere, or with other options, to one that was started. */
static int start_anew(struct stack *s, const char *plugin_dir, struct process *p, int64_t *since,
		      struct err *err)
{
	const char *program = NULL;
	int r = find_program(s, &program, err);

	if (r == 0)
		r = stop_server(s, err);
	if (r == 0)
		r = prepare(s, program, err);
	if (r == 0 && !plugin_dir)
		r = prepare_witness(s, false, &plugin_dir, err);
	*since = clock_monotonic_us();
	return r < 0 ? r : start_server(s, program, plugin_dir, p, err);
}

int stack_mariadb_up(struct stack *s, struct err *err)
{
	const char *pid_path = layout_pid(&s->arena, s->var_dir, PART);
	struct state_mariadb *m = &s->state.mariadb;
	int64_t since = clock_monotonic_us();
	const char *plugin_dir = NULL, *why = NULL;
	struct process p;
	bool is_running = stack_is_at(s, PART, m->dir) && process_find(pid_path, &p, NULL) == 0;
	int r = is_running ? prepare_witness(s, true, &plugin_dir, err) : 0;

	if (r == 0 && is_running)
		why = why_anew(s, &p, plugin_dir);
	is_running = is_running && !why;
	if (r == 0 && !is_running)
		r = start_anew(s, plugin_dir, &p, &since, err);
	if (r == 0)
		r = stack_wait_ready(s, PART, &p, is_ready, &(struct waiting){m->socket, p.pid},
				     err);
	if (r == 0)
		r = check_login(s, err);
	if (r < 0)
		return r;
	stack_step(s, PART, since, "%s MariaDB %.*s on 127.0.0.1:%u",
		   is_running ? "runs:"
		   : why      ? why
			      : "started",
		   (int)strcspn(m->version, "-"), m->version, m->port);
	s->n_started += !is_running;
	return stack_remember(s, err);
}
