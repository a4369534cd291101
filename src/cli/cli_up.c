/*
 * `aethermart up`: from nothing to live. It puts other verbs in their order, each of which can be
 * repeated, so that a second run changes nothing and one that was interrupted goes on:
 *
 *	servers     started, or those of the configuration (it asks before it creates anything)
 *	schema      `schema apply`
 *	shop        `generate` and `load`, into an empty shop: on an embedded server, or
 *	            `--with-shop`; before the triggers, so that it queues nothing
 *	sync        `sync install`: queues, triggers, collections
 *	rights      of the worker's account, on an embedded server
 *	migration   `migrate`, when a collection asks for it
 *	worker      `serve` in the background
 *	proof       `verify`, after a migration
 *	search      all documents are found by their words; a large shop goes on behind
 */
#include "cli/cli_index.h"
#include "cli/cli_stack.h"
#include "cli/cli_worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cluster/layout.h"
#include "govern/lineage.h"
#include "govern/quality_stream.h"
#include "govern/rbac_audit.h"
#include "govern/token.h"
#include "http/http_client.h"
#include "shop/load.h"
#include "shop/order_desk.h"
#include "sync/sync_admin.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/banned.h"

struct up {
	const struct command_line *line;
	struct arena arena;
	const char *var_dir;
	bool has_own_maria; /* embedded */
	bool has_own_mongo;
	bool is_asked;
	bool wants_shop;
	bool has_migrated; /* in this run */
	bool is_live;	   /* the worker of this folder writes */
	/* What a step sets for run_steps(): */
	bool is_skipped;  /* nothing to do, nothing to tell */
	const char *said; /* what it has to tell instead of its text; in the arena */
};

static int skip(struct up *u)
{
	u->is_skipped = true;
	return 0;
}

/* --- servers --------------------------------------------------------------------------------- */

static void print_plan(struct up *u)
{
	const struct config *c = u->line->config;

	fprintf(stderr,
		"On the servers that the configuration names, this creates what is missing:\n");
	if (!u->has_own_maria)
		fprintf(stderr,
			"  MariaDB, database \"%s\": the database, the shop's tables, and for the "
			"sync its tables,\n  queues and triggers%s\n",
			config_text(c, "mariadb.database"),
			u->wants_shop ? "; the default shop is loaded into it" : "");
	if (!u->has_own_maria && config_bool(c, "warehouse.enabled"))
		fprintf(stderr, "  MariaDB, database \"%s\": the warehouse\n",
			config_text(c, "warehouse.database"));
	if (!u->has_own_mongo)
		fprintf(stderr,
			"  MongoDB, database \"%s\": the collections of the mappings with their "
			"indexes and\n  validators, and the collection of the sync's fences\n",
			config_text(c, "mongodb.database"));
}

static int ask_for_named(struct up *u, struct err *err)
{
	if (u->is_asked || (u->has_own_maria && u->has_own_mongo))
		return 0;
	if (!u->line->json)
		print_plan(u);
	if (cli_confirm(u->line, "Go on?"))
		return 0;
	(void)err_set(err, ERR_INTERRUPTED, "nothing was created");
	return err_hint(err, "answer y, or run `aethermart up --yes`");
}

static int make_database(struct up *u, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	const char *database;
	struct maria_options o = {0};
	int r = endpoint_maria(u->line->config, ENDPOINT_ADMIN, &u->arena, &o, err);

	if (r < 0)
		return r;
	database = o.database;
	o.database = NULL;
	r = maria_open(&o, &m, err);
	if (r == 0)
		r = maria_make_database(m, database, "utf8mb4_unicode_ci", err);
	return r < 0 ? err_context(err, "making the database") : 0;
}

/* Before anything is asked of a worker: one of another configuration would do it elsewhere. */
static int stop_other_worker(struct up *u, struct err *err)
{
	int64_t since = clock_monotonic_us();
	bool is_stopped = false;
	int r = stack_worker_stop_other(u->line->config, &is_stopped, err);

	if (r == 0 && is_stopped)
		cli_step(u->line, "worker", clock_monotonic_us() - since,
			 "stopped, to start anew: its configuration has changed, or the program");
	return r;
}

static int up_servers(struct up *u, struct err *err)
{
	struct stack_callbacks steps = cli_steps(u->line);
	int r = ask_for_named(u, err);

	if (r == 0)
		r = stack_up(u->line->config, &steps, NULL, err);
	if (r == 0)
		r = stop_other_worker(u, err);
	return r < 0 ? r : make_database(u, err);
}

/* --- schema and sync ------------------------------------------------------------------------- */

static int up_schema(struct up *u, struct err *err)
{
	static const char *const words[] = {"schema", "apply", "--quiet", NULL};

	return cli_run_self(u->line, words, err);
}

static int up_sync(struct up *u, struct err *err)
{
	static const char *const words[] = {"sync", "install", "--quiet", NULL};

	return cli_run_self(u->line, words, err);
}

static int up_rights(struct up *u, struct err *err)
{
	const char *database = config_text(u->line->config, "mariadb.database");
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct mapping_set set = {0};
	int r;

	if (!u->has_own_maria)
		return 0;
	sync_add_read_grant(&sql, database, LAYOUT_SYNC_USER);
	shop_order_desk_add_grant(&sql, database, LAYOUT_SYNC_USER);
	quality_stream_add_grant(&sql, database, LAYOUT_SYNC_USER);
	lineage_add_grants(&sql, database, LAYOUT_SYNC_USER);
	rbac_audit_add_grant(&sql, database, LAYOUT_SYNC_USER);
	token_keeper_add_grants(&sql, database, LAYOUT_SYNC_USER);
	r = cli_open_maria(u->line, ENDPOINT_ADMIN, &m, err);
	if (r == 0)
		r = cli_load_mappings(u->line, m, &set, err);
	if (r == 0)
		r = sync_add_write_grants(&sql, m, &set, database, LAYOUT_SYNC_USER, err);
	if (r == 0)
		r = maria_script(m, "rights", strbuf_str(&sql), err);
	mapping_set_done(&set);
	return r < 0 ? err_context(err, "granting the worker its rights") : 0;
}

/* The account may have no right to a second database, or it may be another shop's: all else goes
 * on. */
static int up_warehouse(struct up *u, struct err *err)
{
	int r;

	if (!config_bool(u->line->config, "warehouse.enabled"))
		return skip(u);
	r = cli_warehouse_install(u->line, err);
	if (r == -ERR_PERMISSION || r == -ERR_CONFLICT) {
		u->said = arena_printf(&u->arena, "left out: %s", err->message);
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_context(err, "making the warehouse") : 0;
}

/* Of the embedded server, where who has these names was made for another database of ours. A file
 * of access that does not fit the mappings gives nobody a right. */
static int up_access(struct up *u, struct err *err)
{
	const char *words[] = {"access", "apply", "--adopt", "--quiet", NULL, NULL};
	int r;

	if (!u->has_own_mongo) /* its accounts are not ours to make unasked */
		words[4] = "--mariadb-only";
	if (!u->has_own_maria)
		return skip(u);
	r = cli_run_self(u->line, words, err);
	if (r == -ERR_INVALID_ARGUMENT) {
		u->said = "left out: the message is above";
		err_clear(err);
		return 0;
	}
	return r;
}

/* --- the shop -------------------------------------------------------------------------------- */

static int generate(struct up *u, const char *out, struct err *err)
{
	const char *const words[] = {"generate", "--out", out, NULL};
	int r = cli_run_self(u->line, words, err);

	/* The list of the defects that were built in is for tests and no feed. */
	(void)unlink(arena_printf(&u->arena, "%s/defects.csv", out));
	return r;
}

/* The default data, which is shop.data or ships with the program, and what was generated. */
static int load(struct up *u, const char *out, struct err *err)
{
	const char *const *data = config_list(u->line->config, "shop.data");
	size_t n = 0, k = 0;
	const char **words;

	while (data[n])
		n++;
	words = arena_alloc(&u->arena, (n + 4) * sizeof(*words));
	words[k++] = "load";
	for (size_t i = 0; i < n; i++)
		words[k++] = data[i];
	if (!n)
		words[k++] = endpoint_share_path(u->line->config, &u->arena, "data");
	words[k++] = out;
	return cli_run_self(u->line, words, err);
}

/* `shop.loading` says in which database a load of ours began, `shop.loaded` which load completed
 * it. */

enum shop_step {
	SHOP_LOAD,   /* nothing is there, or what our own load left when it was cut off */
	SHOP_FINISH, /* all is loaded, but what was made for it is still there */
	SHOP_THERE,  /* we loaded it, whatever became of it since */
	SHOP_OTHERS, /* has rows of somebody else */
};

struct shop_files {
	const char *loading, *loaded, *generated;
};

static struct shop_files shop_files(struct up *u)
{
	return (struct shop_files){
	    .loading = arena_printf(&u->arena, "%s/shop.loading", u->var_dir),
	    .loaded = arena_printf(&u->arena, "%s/shop.loaded", u->var_dir),
	    .generated = arena_printf(&u->arena, "%s/generated", u->var_dir),
	};
}

/*
 * Whether what the marker names is in this database. One of an older program holds the time only:
 * it counts where a load was completed.
 */
static int is_marked(struct maria *m, const char *path, const struct shop_load_past *past,
		     bool *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf mark = STRBUF_INIT(256);

	*ret = false;
	if (file_read(path, &mark, NULL) < 0)
		return 0;
	if (strstr(strbuf_str(&mark), " at "))
		return shop_load_has_mark(m, strbuf_str(&mark), ret, err);
	*ret = past->has_done;
	return 0;
}

static bool is_begun(const char *path, const struct shop_load_past *past)
{
	_cleanup_(strbuf_done) struct strbuf place = STRBUF_INIT(1024);

	return file_read(path, &place, NULL) == 0 && cstr_equal(strbuf_str(&place), past->place);
}

/* Rows are live data, whatever the files say or do not say: only our own load that was cut off goes
 * on among them. */
static int choose_shop_step(struct maria *m, const struct shop_files *files,
			    const struct shop_load_past *past, enum shop_step *ret, struct err *err)
{
	bool has_begun = is_begun(files->loading, past), is_ours = false;
	int r = is_marked(m, files->loaded, past, &is_ours, err);

	if (r < 0)
		return r;
	/* A load that was completed since is somebody else's, and so is what they cut off. */
	if (past->has_rows && has_begun && past->is_cut_off && !past->has_done && !is_ours)
		*ret = SHOP_LOAD;
	else if (past->has_rows && has_begun)
		*ret = SHOP_FINISH;
	else if (is_ours)
		*ret = SHOP_THERE;
	else
		*ret = past->has_rows ? SHOP_OTHERS : SHOP_LOAD;
	return 0;
}

static int look_at_shop(struct up *u, const struct shop_files *files, enum shop_step *ret,
			struct err *err)
{
	_cleanup_(shop_load_past_done) struct shop_load_past past = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	int r = cli_open_maria(u->line, ENDPOINT_ADMIN, &m, err);

	if (r == 0)
		r = shop_load_look_back(m, &past, err);
	if (r == 0)
		r = choose_shop_step(m, files, &past, ret, err);
	/* Before the first row is written. */
	if (r == 0 && *ret == SHOP_LOAD)
		r = file_write_atomic(files->loading, past.place, strlen(past.place), 0600, err);
	return r;
}

static int write_marker(struct up *u, const struct shop_files *files, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(mem_freep) char *mark = NULL;
	int r = cli_open_maria(u->line, ENDPOINT_ADMIN, &m, err);

	if (r == 0)
		r = shop_load_mark(m, &mark, err);
	if (r == 0 && mark)
		r = file_write_atomic(files->loaded, mark, strlen(mark), 0600, err);
	if (r == 0)
		(void)unlink(files->loading);
	return r;
}

/*
 * Once, into a shop that has no rows. Until it is completed each run generates and loads again,
 * which adds nothing to what is there already.
 */
static int up_shop(struct up *u, struct err *err)
{
	struct shop_files files = shop_files(u);
	enum shop_step step = SHOP_OTHERS;
	int r;

	if (!u->wants_shop)
		return skip(u);
	r = look_at_shop(u, &files, &step, err);
	if (r < 0)
		return r;
	if (step == SHOP_THERE || step == SHOP_FINISH)
		u->said = "already loaded";
	if (step == SHOP_OTHERS)
		u->said = arena_printf(&u->arena, "database \"%s\" has rows; nothing loaded",
				       config_text(u->line->config, "mariadb.database"));
	if (step == SHOP_THERE || step == SHOP_OTHERS)
		return 0;
	if (step == SHOP_LOAD)
		r = generate(u, files.generated, err);
	if (r == 0 && step == SHOP_LOAD)
		r = load(u, files.generated, err);
	if (r == 0)
		r = dir_remove(files.generated, err);
	return r < 0 ? r : write_marker(u, &files, err);
}

/* --- migration and worker -------------------------------------------------------------------- */

#define MIGRATE_MAX 64

static int list_unmigrated(struct up *u, const char **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct sync_status s = {0};
	int r = cli_open_maria(u->line, ENDPOINT_ADMIN, &m, err);

	if (r == 0)
		r = sync_status_read(m, &s, err);
	for (size_t i = 0; i < s.len && r == 0 && *ret_n < MIGRATE_MAX; i++) {
		if (!cstr_equal(s.items[i].state, "live") &&
		    !cstr_equal(s.items[i].state, "paused"))
			ret[(*ret_n)++] = arena_strdup(&u->arena, s.items[i].collection);
	}
	sync_status_done(&s);
	return r;
}

#define READY_SPARE_MS 10000
#define READY_POLL_US  50000
#define WORDS_WAIT_US  60000000 /* a million documents take longer */

/* Only the collections that are not live: the others need not be read again. */
static int up_migrate(struct up *u, struct err *err)
{
	const char *names[MIGRATE_MAX];
	size_t n = 0;
	int r = list_unmigrated(u, names, &n, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		const char *const words[] = {"migrate", "--collection", names[i], NULL};

		r = cli_run_self(u->line, words, err);
	}
	u->has_migrated = n > 0;
	return r;
}

/*
 * Who holds the lease, when it is not our worker: of a server of the configuration, a worker of
 * another host may. That is no error: ours stands by.
 */
static int tell_other_holder(struct up *u, struct err *err)
{
	_cleanup_(json_decrefp) json_t *status = cli_worker_json(u->line, "/v1/status");
	const char *role = json_string_value(json_object_get(status, "role"));
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct sync_status s = {0};
	int r = 0;

	if (role && cstr_equal(role, "standby")) {
		r = cli_open_maria(u->line, ENDPOINT_SYNC, &m, err);
		if (r == 0)
			r = sync_status_read(m, &s, err);
	}
	if (r == 0 && s.has_holder)
		u->said = arena_printf(&u->arena,
				       "stands by: another process, %s, keeps both stores in step",
				       s.holder);
	sync_status_done(&s);
	if (r < 0 || u->said)
		return r;
	(void)err_set(err, ERR_TIMEOUT, "the worker runs, but does not write yet");
	return err_hint(err, "its log says why: `aethermart logs serve`; then run `aethermart up` "
			     "again");
}

/* A worker that was killed leaves a lease that has to expire first. */
static int wait_until_it_writes(struct up *u, struct err *err)
{
	int64_t until = clock_monotonic_us() +
			(config_int(u->line->config, "sync.lease") + READY_SPARE_MS) * 1000;
	const char *socket_path = endpoint_socket_path(u->line->config, &u->arena);

	while (clock_monotonic_us() < until) {
		struct strbuf body = STRBUF_INIT(4096);
		int r;

		u->is_live = http_client_get(socket_path, "/readyz", &body, NULL) == 0;
		strbuf_done(&body);
		r = stack_worker_check(u->line->config, err);
		if (r < 0 || u->is_live)
			return r;
		usleep(READY_POLL_US);
	}
	return tell_other_holder(u, err);
}

static int bring_worker(struct up *u, bool *ret_started, struct err *err)
{
	static const char *const words[] = {"serve", NULL};
	int r = stack_worker_start(u->line->config, cli_self_argv(u->line, &u->arena, words),
				   ret_started, err);

	return r < 0 ? r : wait_until_it_writes(u, err);
}

/* A worker that was found may have been told to end: then it is waited for, and ours begins. */
static int up_worker(struct up *u, struct err *err)
{
	int64_t since = clock_monotonic_us();
	bool is_started = false;
	int r = bring_worker(u, &is_started, err);

	if (r == 0 || is_started || stack_worker_check(u->line->config, NULL) == 0)
		return r;
	err_clear(err);
	cli_step(u->line, "worker", clock_monotonic_us() - since,
		 "the one that ran was ending, and is gone: another is started");
	return bring_worker(u, &is_started, err);
}

/* The proof that a bring-up worked; later it is the user's to ask for. */
static int up_verify(struct up *u, struct err *err)
{
	uint64_t n_pending = 0;
	int r;

	if (!u->has_migrated)
		return skip(u);
	r = cli_verify(u->line, &n_pending, err);
	if (r != -ERR_TIMEOUT || !n_pending)
		return r;
	/* Somebody writes: no reason to call a bring-up failed. */
	u->said = arena_printf(
	    &u->arena, "all that stood still agrees; %" PRIu64 " changed while they were compared",
	    n_pending);
	err_clear(err);
	return 0;
}

/* What people try first is a search: one that knows half of the catalogue is a bad one. Whatever is
 * wrong with the index, the stores are in step: the status tells. */
static int up_search(struct up *u, struct err *err)
{
	int64_t until = clock_monotonic_us() + WORDS_WAIT_US;
	struct progress progress;
	bool is_ready = false, has_waited = false;

	(void)err;
	if (!u->is_live || !config_bool(u->line->config, "index.enabled"))
		return skip(u);
	progress_start(&progress, "search", "documents", 0);
	while (!is_ready && clock_monotonic_us() < until) {
		_cleanup_(json_decrefp) json_t *status = NULL;
		uint64_t done = 0;

		if (cli_worker_ask(u->line, "/v1/index/status", false, &status, NULL) == 0)
			is_ready = cli_index_has_words(status, &done, &progress.total);
		if (is_ready && !has_waited)
			break;
		progress_update(&progress, done);
		has_waited = true;
		if (!is_ready)
			usleep(READY_POLL_US);
	}
	if (has_waited)
		progress_finish(&progress);
	if (!is_ready)
		u->said = "does not know all documents yet; it goes on";
	return 0;
}

/* --- the verb -------------------------------------------------------------------------------- */

struct step {
	const char *part;
	const char *text; /* NULL: tells its own steps */
	int (*run)(struct up *u, struct err *err);
};

static const struct step steps[] = {
    {"stack", NULL, up_servers},
    {"schema", "applied", up_schema},
    {"shop", "loaded", up_shop},
    {"sync", "queues, triggers and collections installed", up_sync},
    {"sync", NULL, up_rights},
    {"access", "roles, people and masked views made", up_access},
    {"warehouse", "made; `aethermart warehouse refresh` fills it", up_warehouse},
    {"sync", "all collections live", up_migrate},
    {"worker", "keeps both stores in step", up_worker},
    {"verify", "both stores agree", up_verify},
    {"search", "finds all by words", up_search},
};

static int run_steps(struct up *u, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int64_t since = clock_monotonic_us();
		int r;

		u->is_skipped = false;
		u->said = NULL;
		r = steps[i].run(u, err);
		if (r < 0)
			return r;
		if (steps[i].text && !u->is_skipped)
			cli_step(u->line, steps[i].part, clock_monotonic_us() - since, "%s",
				 u->said ? u->said : steps[i].text);
	}
	return 0;
}

/* The shortest way to type this program, so that the commands can be copied. */
static const char *self_name(struct up *u)
{
	const char *binary = arena_printf(&u->arena, "%s/aethermart", layout_binary_dir(&u->arena));
	const char *here = layout_absolute(&u->arena, NULL, ".");
	size_t len = strlen(here);

	if (strncmp(binary, here, len) == 0 && binary[len] == '/')
		return binary + len + 1;
	return strncmp(binary, "/usr/", 5) == 0 ? "aethermart" : binary;
}

static int print_end(struct up *u, int64_t took_us, struct err *err)
{
	const char *self = self_name(u);
	char time[CLOCK_TEXT_SIZE];
	int r;

	if (!u->line->json)
		printf("\n");
	r = cli_status_print(u->line, err);
	if (r < 0 || u->line->json)
		return r;
	printf("\n%s after %s. Try:\n\n", u->is_live ? "Live" : "Standing by",
	       clock_format_duration(took_us, time));
	if (config_bool(u->line->config, "index.enabled"))
		printf("  %s search 'quiet mechanical keyboard under $100'\n", self);
	printf("  %s watch         each change as it arrives in MongoDB\n", self);
	printf("  %s verify        whether all stores agree\n", self);
	return cli_flush(err);
}

int cli_wants_shop(const struct command_line *line, bool *ret, struct err *err)
{
	bool with = command_has(line, "with-shop"), without = command_has(line, "no-shop");

	if (with && without)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "--with-shop and --no-shop exclude each other");
	*ret = with || (!without && endpoint_is_embedded_maria(line->config));
	return 0;
}

int cli_up(const struct command_line *line, unsigned flags, struct err *err)
{
	struct up u = {
	    .line = line,
	    .has_own_maria = endpoint_is_embedded_maria(line->config),
	    .has_own_mongo = endpoint_is_embedded_mongo(line->config),
	    .is_asked = flags & CLI_UP_ASKED,
	    .wants_shop = flags & CLI_UP_SHOP,
	};
	int64_t since = clock_monotonic_us();
	int r;

	u.var_dir = endpoint_var_dir(line->config, &u.arena);
	r = run_steps(&u, err);
	if (r == 0)
		r = print_end(&u, clock_monotonic_us() - since, err);
	arena_done(&u.arena);
	return r;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(stack_lock_freep) struct stack_lock *lock = NULL;
	struct stack_callbacks callbacks = cli_steps(line);
	bool wants_shop = false;
	int r = cli_wants_shop(line, &wants_shop, err);

	if (r == 0)
		r = stack_lock_take(line->config, &callbacks, &lock, err);
	return r < 0 ? r : cli_up(line, wants_shop ? CLI_UP_SHOP : 0, err);
}

static const struct command_option options[] = {
    CLI_OPTIONS_SHOP,
    CLI_OPTION_YES,
    {0},
};

const struct command command_up = {
    .name = "up",
    .summary = "start everything: servers, schema, shop, migration, worker",
    .options = options,
    .help =
	"Starts the servers that the configuration does not name, makes schema and triggers, "
	"loads the default shop, migrates it to MongoDB and keeps both in step from then on. Run "
	"it again at any time: what is there stays as it is, what is missing is added, and after "
	"a crash it recovers.\n\n  aethermart up\n  aethermart up --no-shop",
    .run = run,
};
