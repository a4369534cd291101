/* `aethermart sync dead-letter` and `sync consumer`: what was set aside, who reads the hand-off. */
#include "cli/cli_list.h"

#include "sync/sync_admin.h"

#include <inttypes.h>

#include "base/banned.h"

/* --- lists ---------------------------------------------------------------------------------- */

/* As {"name": [...]} or as a table; `none` is what people read instead of an empty one. */
static int print_list(const struct cli_list *l, const char *name, const char *none, struct err *err)
{
	if (l->json)
		return cli_print_json(json_pack("{s:O}", name, l->json), err);
	if (!l->n)
		fprintf(stderr, "%s\n", none);
	table_print(l->table, stdout);
	return cli_flush(err);
}

/* --- dead letters ---------------------------------------------------------------------------- */

static int dead_letter_id(const struct command_line *line, int64_t *ret, struct err *err)
{
	*ret = 0;
	if (!line->argc)
		return 0;
	if (parse_int64(str_from(line->argv[0]), 1, INT64_MAX, ret, err) < 0)
		return err_context(err, "number of a dead letter");
	return 0;
}

static int add_dead_letter(void *arg, const struct sync_dead_letter *d, struct err *err)
{
	struct cli_list *l = arg;
	char id[24], attempts[24];
	_cleanup_(mem_freep) char *key = mem_strndup(d->key.data, d->key.len);

	(void)err;
	l->n++;
	snprintf(id, sizeof(id), "%" PRId64, d->id);
	snprintf(attempts, sizeof(attempts), "%" PRId64, d->attempts);
	if (!l->json) {
		table_add(l->table,
			  (const char *const[]){id, d->collection, key, attempts,
						d->replayed_at ? "replayed" : "waiting", d->error});
		return 0;
	}
	json_array_append_new(
	    l->json, json_pack("{s:I,s:s,s:I,s:o,s:o,s:I,s:s,s:s,s:s?}", "id", (json_int_t)d->id,
			       "collection", d->collection, "path", (json_int_t)d->path, "key",
			       cli_json_text(d->key), "error", cli_json_text(str_from(d->error)),
			       "attempts", (json_int_t)d->attempts, "first_at", d->first_at,
			       "last_at", d->last_at, "replayed_at", d->replayed_at));
	return 0;
}

static int run_dead_letter_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {">id",   "collection", "key", ">attempts",
					     "state", "error",	    NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int64_t id;
	int r = dead_letter_id(line, &id, err);

	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);
	if (r == 0)
		r = sync_dead_letter_each(db, NULL, id, add_dead_letter, &l, err);
	if (r == 0 && id && !l.n)
		r = err_set(err, ERR_NOT_FOUND, "no dead letter %" PRId64, id);
	return r < 0 ? r : print_list(&l, "dead_letters", "no dead letters", err);
}

static int print_count(const struct command_line *line, const char *what, uint64_t n,
		       struct err *err)
{
	if (line->json)
		return cli_print_json(json_pack("{s:I}", what, (json_int_t)n), err);
	printf("%" PRIu64 " %s\n", n, what);
	return 0;
}

static int require_target(const struct command_line *line, struct err *err)
{
	if (line->argc || command_has(line, "all"))
		return 0;
	err_set(err, ERR_INVALID_ARGUMENT, "which dead letter?");
	return err_hint(err, "give its number (aethermart sync dead-letter list), or --all");
}

static int run_dead_letter_replay(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(mapping_set_done) struct mapping_set mappings = {0};
	uint64_t n = 0;
	int64_t id = 0;
	int r = require_target(line, err);

	if (r == 0)
		r = dead_letter_id(line, &id, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);
	if (r == 0)
		r = cli_load_mappings(line, db, &mappings, err);
	if (r == 0)
		r = sync_dead_letter_replay(db, &mappings, NULL, id, &n, err);
	if (r == 0 && id && !n)
		return err_set(err, ERR_NOT_FOUND, "no dead letter %" PRId64, id);
	return r == 0 ? print_count(line, "replayed", n, err) : r;
}

static int run_dead_letter_drop(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	uint64_t n = 0;
	int64_t id = 0;
	int r = require_target(line, err);

	if (r == 0)
		r = dead_letter_id(line, &id, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);
	if (r == 0 &&
	    !cli_confirm(line, "Forget what was set aside? Its documents stay as they are."))
		return err_set(err, ERR_INTERRUPTED, "nothing was changed");
	if (r == 0)
		r = sync_dead_letter_drop(db, NULL, id, &n, err);
	if (r == 0 && id && !n)
		return err_set(err, ERR_NOT_FOUND, "no dead letter %" PRId64, id);
	return r == 0 ? print_count(line, "dropped", n, err) : r;
}

static const struct command_option all_options[] = {
    {.name = "all", .type = COMMAND_FLAG, .help = "all of them"},
    CLI_OPTION_YES,
    {0},
};

static const struct command dead_letter_list = {
    .name = "list",
    .summary = "documents that were refused, and why",
    .run = run_dead_letter_list,
};

static const struct command dead_letter_show = {
    .name = "show",
    .summary = "one of them",
    .arguments = "ID",
    .min_args = 1,
    .max_args = 1,
    .run = run_dead_letter_list,
};

static const struct command dead_letter_replay = {
    .name = "replay",
    .summary = "tries again",
    .arguments = "[ID]",
    .max_args = 1,
    .options = all_options,
    .run = run_dead_letter_replay,
};

static const struct command dead_letter_drop = {
    .name = "drop",
    .summary = "forgets them",
    .arguments = "[ID]",
    .max_args = 1,
    .options = all_options,
    .run = run_dead_letter_drop,
};

static const struct command *const dead_letter_children[] = {
    &dead_letter_list, &dead_letter_show, &dead_letter_replay, &dead_letter_drop, NULL,
};

const struct command command_dead_letter = {
    .name = "dead-letter",
    .summary = "documents that were refused",
    .children = dead_letter_children,
};

/* --- consumers ------------------------------------------------------------------------------- */

static int add_consumer(void *arg, const struct sync_consumer *c, struct err *err)
{
	struct cli_list *l = arg;
	_cleanup_(mem_freep) char *waiting = mem_printf("%" PRId64, c->waiting);

	(void)err;
	l->n++;
	if (!l->json) {
		table_add(l->table,
			  (const char *const[]){c->consumer, c->kind, c->seen_at, waiting});
		return 0;
	}
	json_array_append_new(l->json, json_pack("{s:s,s:s,s:s,s:I}", "consumer", c->consumer,
						 "kind", c->kind, "seen_at", c->seen_at, "waiting",
						 (json_int_t)c->waiting));
	return 0;
}

static int run_consumer_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"consumer", "kind", "seen", ">waiting", NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);

	if (r == 0)
		r = sync_consumer_each(db, add_consumer, &l, err);
	return r < 0 ? r : print_list(&l, "consumers", "no consumers", err);
}

static int run_consumer_drop(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	int r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);

	return r == 0 ? sync_consumer_drop(db, line->argv[0], err) : r;
}

static const struct command consumer_list = {
    .name = "list",
    .summary = "who reads the hand-off",
    .run = run_consumer_list,
};

static const struct command consumer_drop = {
    .name = "drop",
    .summary = "forgets one and what waits for it",
    .arguments = "CONSUMER",
    .min_args = 1,
    .max_args = 1,
    .run = run_consumer_drop,
};

static const struct command *const consumer_children[] = {&consumer_list, &consumer_drop, NULL};

const struct command command_consumer = {
    .name = "consumer",
    .summary = "readers of the hand-off",
    .children = consumer_children,
};
