/*
 * `aethermart reset`: wipes and rebuilds.
 *
 * Embedded servers lose their folders, passwords included, and are made anew. On servers of the
 * configuration only what this program created goes: the sync's triggers, queues and tables, what
 * the record of migrations says was made, and documents that carry the sync's mark; the database's
 * name has to be typed for each.
 */
#include "cli/cli_stack.h"

#include "base/clock.h"
#include "base/mem.h"
#include "shop/schema.h"
#include "sync/sync_admin.h"

#include "base/banned.h"

/* --- asking ---------------------------------------------------------------------------------- */

static int refused(struct err *err)
{
	(void)err_set(err, ERR_INTERRUPTED, "nothing was deleted");
	return err_hint(err, "answer the question on a terminal; for embedded servers alone, --yes "
			     "answers it");
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
		    mem_printf("All that aethermart created in the database \"%s\" of your %s will "
			       "be deleted.\nType the database's name to go on:",
			       database, named[i].server);

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

static int reset_named(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	struct mapping_set set = {0};
	bool has_maria = !endpoint_is_embedded_maria(line->config);
	bool has_mongo = !endpoint_is_embedded_mongo(line->config);
	int r = 0;

	/* The mappings are read through MariaDB, wherever it is; with its tables gone already there
	 * is nothing of theirs left to delete there. */
	r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r < 0)
		return r;
	if (cli_load_mappings(line, m, &set, NULL) < 0)
		set.len = 0;
	if (has_mongo)
		r = cli_open_mongo(line, ENDPOINT_ADMIN, &mongo, err);
	if (r == 0 && has_mongo)
		r = sync_uninstall_target(mongo, &set, err);
	if (r == 0 && has_maria && set.len)
		r = sync_uninstall(m, &set, err);
	if (r == 0 && has_maria)
		r = shop_schema_drop(m, err);
	mapping_set_done(&set);
	return r;
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
	if (r == 0 && !is_embedded)
		r = reset_named(line, err);
	if (r == 0)
		r = stack_down(line->config, &steps, NULL, err);
	since = clock_monotonic_us();
	if (r == 0)
		r = stack_destroy(line->config, err);
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
	"servers it deletes only\nwhat it created, and the database's name has to be typed; --yes "
	"does not stand for that.\n\n  aethermart reset --yes",
    .run = run,
};
