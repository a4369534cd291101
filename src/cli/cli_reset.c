/*
 * `aethermart reset`: wipes and rebuilds.
 *
 * Embedded servers lose their folders, passwords included, and are made anew. On servers of the
 * configuration only what this program created goes: the sync's triggers, queues and tables, what
 * the records of migrations say was made, of the shop and of its warehouse, and documents that
 * carry the sync's mark; the database's name has to be typed for each.
 */
#include "cli/cli_stack.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli_govern.h"
#include "govern/access_mongo.h"
#include "shop/schema.h"
#include "sync/sync_admin.h"

#include <errno.h>
#include <unistd.h>

#include "base/banned.h"

/* --- asking ---------------------------------------------------------------------------------- */

static int refused(struct err *err)
{
	(void)err_set(err, ERR_INTERRUPTED, "nothing was deleted");
	return err_hint(err, "answer the question on a terminal; for embedded servers alone, --yes "
			     "answers it");
}

static char *make_question(const struct command_line *line, const char *database,
			   const char *server, bool has_warehouse)
{
	_cleanup_(mem_freep) char *warehouse = mem_printf(
	    ", its warehouse in \"%s\" too,", config_text(line->config, "warehouse.database"));

	return mem_printf("All that aethermart created in the database \"%s\" of your %s%s will be "
			  "deleted.\nType the database's name to go on:",
			  database, server, has_warehouse ? warehouse : "");
}

static int ask(const struct command_line *line, struct err *err)
{
	static const struct {
		const char *server, *option;
		bool (*is_embedded)(const struct config *);
	} named[] = {
	    {"MariaDB", "mariadb.database", endpoint_is_embedded_maria},
	    {"MongoDB", "mongodb.database", endpoint_is_embedded_mongo},
	};
	bool is_any_embedded = false;

	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		const char *database = config_text(line->config, named[i].option);
		_cleanup_(mem_freep) char *question =
		    make_question(line, database, named[i].server,
				  i == 0 && config_bool(line->config, "warehouse.enabled"));

		if (named[i].is_embedded(line->config))
			is_any_embedded = true;
		else if (!cli_confirm_word(question, database))
			return refused(err);
	}
	if (is_any_embedded &&
	    !cli_confirm(line, "The embedded servers with all their data will be deleted and made "
			       "anew. Go on?"))
		return refused(err);
	return 0;
}

/* --- the servers of the configuration -------------------------------------------------------- */

#define NO_DATABASE 1049 /* MariaDB's error */

struct named {
	const struct command_line *line;
	bool has_maria, has_mongo; /* named, not embedded */
	struct maria *m;	   /* NULL: it has no such database */
	struct mongo *mongo;
	struct mapping_set set; /* empty: its tables are gone already */
	struct access *access;	/* who is never dropped */
};

static void named_done(struct named *n)
{
	mapping_set_done(&n->set);
	access_free(n->access);
	n->m = maria_close(n->m);
	n->mongo = mongo_close(n->mongo);
}

/* The mappings are read through MariaDB, wherever it is. Only that tables are gone is no error:
 * an earlier reset, or a person, has dropped them. */
static int named_load(struct named *n, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	int r = n->has_maria ? shop_schema_check(n->m, &shop_schema, err) : 0;

	if (r == 0)
		r = access_load(cli_access_rules(n->line, &arena), &n->access, err);
	if (r == 0 && n->has_maria)
		r = cli_warehouse_may_drop(n->line, err);
	if (r == 0)
		r = cli_load_mappings(n->line, n->m, &n->set, err);
	if (r < 0 && err->native == MAPPING_NO_TABLE) {
		err_clear(err);
		return 0;
	}
	return r;
}

/* All that is needed; nothing is deleted before all of it is there. */
static int named_open(struct named *n, struct err *err)
{
	int r = cli_open_maria(n->line, ENDPOINT_ADMIN, &n->m, err);

	if (r == 0)
		r = named_load(n, err);
	else if (err->native == NO_DATABASE) {
		err_clear(err);
		r = 0;
	}
	return r == 0 && n->has_mongo ? cli_open_mongo(n->line, ENDPOINT_ADMIN, &n->mongo, err) : r;
}

/* Roles and accounts while the record in MariaDB is there. */
static int reset_mongo(struct named *n, struct err *err)
{
	int r = n->m ? access_mongo_remove(n->access, n->m, n->mongo, err) : 0;

	return r < 0 ? r : sync_uninstall_target(n->m, n->mongo, &n->set, err);
}

/* The new audit begins anew; where the former one was is no measure of it. As soon as that is gone,
 * and not before: what stops the reset later would leave a record of an audit that is not there. */
static int forget_audit(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	static const char *const names[] = {"", AUDIT_WRONG, AUDIT_VERIFIED, AUDIT_LOCK};
	const char *var_dir = endpoint_var_dir(line->config, &arena);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *path = arena_printf(&arena, "%s/audit.head%s", var_dir, names[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return err_set(err, ERR_IO, "could not remove \"%s\": %s", path,
				       strerror(errno));
	}
	return 0;
}

static int reset_maria(struct named *n, struct err *err)
{
	int r = cli_warehouse_drop(n->line, err);

	if (r == 0)
		r = sync_uninstall(n->m, &n->set, err);
	if (r == 0)
		r = access_remove(n->access, n->m, err);
	return r < 0 ? r : shop_schema_drop(n->m, &shop_schema, err);
}

static int reset_named(const struct command_line *line, struct err *err)
{
	_cleanup_(named_done) struct named n = {
	    .line = line,
	    .has_maria = !endpoint_is_embedded_maria(line->config),
	    .has_mongo = !endpoint_is_embedded_mongo(line->config),
	};
	int r = named_open(&n, err);

	if (r < 0)
		return err_context(err, "nothing was deleted");
	if (n.has_mongo)
		r = reset_mongo(&n, err);
	if (r == 0 && n.has_maria && n.m)
		r = reset_maria(&n, err);
	return r == 0 && n.has_maria ? forget_audit(line, err) : r;
}

/* --- the verb -------------------------------------------------------------------------------- */

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(stack_lock_freep) struct stack_lock *lock = NULL;
	struct stack_callbacks steps = cli_steps(line);
	bool is_embedded =
	    endpoint_is_embedded_maria(line->config) && endpoint_is_embedded_mongo(line->config);
	bool wants_shop = false;
	int64_t since;
	int r = cli_wants_shop(line, &wants_shop, err);

	if (r == 0)
		r = ask(line, err);
	if (r == 0)
		r = stack_lock_take(line->config, &steps, &lock, err);
	if (r == 0)
		r = stack_worker_stop(line->config, NULL, err);
	/* Of an embedded MariaDB only the record is wanted, of what is in a MongoDB of the
	 * configuration. */
	if (r == 0 && !is_embedded && endpoint_is_embedded_maria(line->config))
		r = stack_up(line->config, &steps, NULL, err);
	if (r == 0 && !is_embedded)
		r = reset_named(line, err);
	if (r == 0)
		r = stack_down(line->config, &steps, NULL, err);
	since = clock_monotonic_us();
	if (r == 0)
		r = stack_destroy(line->config, err);
	if (r == 0)
		r = forget_audit(line, err);
	if (r < 0)
		return r;
	cli_step(line, "stack", clock_monotonic_us() - since, "wiped");
	return cli_up(line, CLI_UP_ASKED | (wants_shop ? CLI_UP_SHOP : 0U), err);
}

static const struct command_option options[] = {
    CLI_OPTIONS_SHOP,
    CLI_OPTION_YES,
    {0},
};

const struct command command_reset = {
    .name = "reset",
    .summary = "wipe everything and build it anew",
    .options = options,
    .help =
	"Teardown, servers, schema, data, accounts and migration in one go. On your own "
	"servers it deletes only what it created, and the database's name has to be typed; --yes "
	"does not stand for that.\n\n  aethermart reset --yes",
    .run = run,
};
