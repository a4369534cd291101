/* `aethermart sync`: running, watching and mending the sync engine. */
#include "cli/cli_lineage_stream.h"

#include "base/clock.h"
#include "base/table.h"
#include "sync/sync.h"
#include "sync/sync_admin.h"

#include <inttypes.h>

#include "base/banned.h"

static const struct command_option collection_options[] = {
    CLI_OPTION_COLLECTION,
    {0},
};

/* Connection and mappings of a verb. */
struct open {
	struct maria *db;
	struct mongo *mongo;
	struct mapping_set mappings;
};

static int open_all(const struct command_line *line, enum endpoint_role role, struct open *o,
		    struct err *err)
{
	int r = cli_open_maria(line, role, &o->db, err);

	if (r == 0)
		r = cli_open_mongo(line, role, &o->mongo, err);
	return r == 0 ? cli_load_mappings(line, o->db, &o->mappings, err) : r;
}

static void close_all(struct open *o)
{
	mapping_set_done(&o->mappings);
	o->db = maria_close(o->db);
	o->mongo = mongo_close(o->mongo);
}

/* --- run, install, uninstall, check ---------------------------------------------------------- */

static void count(void *lineage, const struct sync_change *change)
{
	cli_lineage_stream_count(lineage, change);
}

static int run_run(const struct command_line *line, struct err *err)
{
	struct cli_engine engine = {0};
	struct cli_lineage_stream *lineage =
	    cli_lineage_stream_new(line, &(struct cli_lineage_stream_options){0});
	struct sync_engine_options options = {.on_change = count, .on_change_arg = lineage};
	int r = cli_open_engine(line, &options, &engine, err);

	if (r == 0) {
		cli_stop_on_signals(engine.engine);
		r = sync_engine_run(engine.engine, err);
	}
	if (cli_lineage_stream_stop(lineage)) /* else the process ends with its thread */
		cli_close_engine(&engine);
	return r;
}

static int run_install(const struct command_line *line, struct err *err)
{
	_cleanup_(close_all) struct open o = {0};
	struct sync_install_report report = {0};
	int r = open_all(line, ENDPOINT_ADMIN, &o, err);

	if (r == 0)
		r = sync_install(o.db, o.mongo, &o.mappings, &report, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:i,s:i,s:i}", "triggers_made",
						(int)report.triggers_made, "triggers_kept",
						(int)report.triggers_kept, "collections_changed",
						(int)report.collections_changed),
				      err);
	printf("%u triggers made, %u kept, %u collections new or changed\n", report.triggers_made,
	       report.triggers_kept, report.collections_changed);
	if (report.collections_changed)
		printf("next: aethermart migrate\n");
	return 0;
}

static int run_uninstall(const struct command_line *line, struct err *err)
{
	_cleanup_(close_all) struct open o = {0};
	int r = open_all(line, ENDPOINT_ADMIN, &o, err);

	if (r < 0)
		return r;
	if (!cli_confirm(line, "Drop triggers, queues and the sync's tables? Documents stay."))
		return err_set(err, ERR_INTERRUPTED, "nothing was changed");
	return sync_uninstall(o.db, &o.mappings, err);
}

struct problems {
	json_t *list;
	bool json;
};

static void add_problem(void *arg, const char *what, const char *fix)
{
	struct problems *p = arg;

	json_array_append_new(p->list,
			      json_pack("{s:o,s:o}", "problem", cli_json_text(str_from(what)),
					"fix", cli_json_text(str_from(fix))));
	if (!p->json)
		printf("%s\n  fix: %s\n", what, fix);
}

static int run_check(const struct command_line *line, struct err *err)
{
	_cleanup_(close_all) struct open o = {0};
	struct problems p = {.list = json_array(), .json = line->json};
	size_t n;
	int r = open_all(line, ENDPOINT_ADMIN, &o, err);

	if (r == 0)
		r = sync_check(o.db, o.mongo, &o.mappings, add_problem, &p, err);
	n = json_array_size(p.list);
	if (r == 0 && line->json)
		r = cli_print_json(json_pack("{s:O}", "problems", p.list), err);
	else if (r == 0 && !n)
		printf("all triggers and queues are as the mappings want them\n");
	json_decref(p.list);
	if (r == 0 && n)
		return err_set(err, ERR_CONFLICT, "%zu problem%s found", n, n == 1 ? "" : "s");
	return r;
}

/* --- status ---------------------------------------------------------------------------------- */

static json_t *queue_json(const struct sync_queue_status *q)
{
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "collection", q->collection,
			 "queue", q->queue, "state", q->state, "pending", (json_int_t)q->pending,
			 "oldest_age_ms", (json_int_t)q->oldest_age_ms, "applied",
			 (json_int_t)q->applied, "failed", (json_int_t)q->failed, "dead_letters",
			 (json_int_t)q->dead_letters, "migrated", (json_int_t)q->migrated,
			 "migrate_total", (json_int_t)q->migrate_total);
}

static int print_status_json(const struct sync_status *s, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->len; i++)
		json_array_append_new(list, queue_json(&s->items[i]));
	return cli_print_json(json_pack("{s:b,s:s?,s:I,s:s?,s:s?,s:o}", "has_holder", s->has_holder,
					"holder", s->has_holder ? s->holder : NULL, "term",
					(json_int_t)s->term, "verified_at", s->verified_at,
					"verified_result", s->verified_result, "collections", list),
			      err);
}

static void print_status_table(const struct sync_status *s)
{
	static const char *const titles[] = {"collection", "state",	    ">pending", ">oldest",
					     ">applied",   ">dead letters", NULL};
	_cleanup_(table_freep) struct table *t = table_new(titles);

	for (size_t i = 0; i < s->len; i++) {
		const struct sync_queue_status *q = &s->items[i];
		char pending[24], applied[24], dead[24], oldest[CLOCK_TEXT_SIZE];

		snprintf(pending, sizeof(pending), "%" PRId64, q->pending);
		snprintf(applied, sizeof(applied), "%" PRId64, q->applied);
		snprintf(dead, sizeof(dead), "%" PRId64, q->dead_letters);
		clock_format_duration(q->oldest_age_ms * 1000, oldest);
		table_add(t, (const char *const[]){q->collection, q->state, pending,
						   q->pending ? oldest : "", applied, dead});
	}
	table_print(t, stdout);
	if (s->has_holder)
		printf("writing: %s, term %" PRId64 "\n", s->holder, s->term);
	else
		printf("nobody holds the lease: changes wait in the queues\n");
}

static int run_status(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	struct sync_status s = {0};
	int r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);

	if (r == 0)
		r = sync_status_read(db, &s, err);
	if (r == 0 && line->json)
		r = print_status_json(&s, err);
	else if (r == 0)
		print_status_table(&s);
	sync_status_done(&s);
	return r;
}

/* --- pause, resume, drain -------------------------------------------------------------------- */

static int set_pause(const struct command_line *line, bool pause, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	int r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);

	return r == 0 ? sync_pause(db, command_text(line, "collection"), pause, err) : r;
}

static int run_pause(const struct command_line *line, struct err *err)
{
	return set_pause(line, true, err);
}

static int run_resume(const struct command_line *line, struct err *err)
{
	return set_pause(line, false, err);
}

static int run_drain(const struct command_line *line, struct err *err)
{
	_cleanup_(close_all) struct open o = {0};
	const struct mapping *only;
	int r = cli_open_maria(line, ENDPOINT_SYNC, &o.db, err);

	if (r == 0)
		r = cli_load_mappings(line, o.db, &o.mappings, err);
	if (r == 0)
		r = cli_find_collection(line, &o.mappings, &only, err);
	return r == 0 ? sync_drain(o.db, &o.mappings, command_text(line, "collection"),
				   command_number(line, "timeout") * 1000, err)
		      : r;
}

static const struct command_option drain_options[] = {
    CLI_OPTION_COLLECTION,
    {.name = "timeout",
     .type = COMMAND_NUMBER,
     .argument = "SECONDS",
     .fallback = "60",
     .min = 1,
     .max = 86400,
     .help = "give up after this long"},
    {0},
};

/* --- the group ------------------------------------------------------------------------------- */

static const struct command_option yes_options[] = {
    CLI_OPTION_YES,
    {0},
};

static const struct command command_run = {
    .name = "run",
    .summary = "carries changes in the foreground, without the HTTP API",
    .run = run_run,
    .is_service = true,
};

static const struct command command_queues = {
    .name = "status",
    .summary = "queues and who writes",
    .run = run_status,
};

static const struct command command_pause = {
    .name = "pause",
    .summary = "stops applying; changes wait in the queue",
    .options = collection_options,
    .run = run_pause,
};

static const struct command command_resume = {
    .name = "resume",
    .summary = "goes on",
    .options = collection_options,
    .run = run_resume,
};

static const struct command command_drain = {
    .name = "drain",
    .summary = "waits until all that is queued now is applied",
    .options = drain_options,
    .help = "Needs a running worker, and collections that are not paused. What is queued after it "
	    "began is not waited for.\n\n  aethermart sync drain --timeout 300",
    .run = run_drain,
};

static const struct command command_install = {
    .name = "install",
    .summary = "makes tables, queues, triggers, validators and indexes",
    .help = "What is there and right stays. A collection whose mapping changed waits for "
	    "`aethermart migrate`. A worker that runs notices, gives up the lease and reads the "
	    "mapping files again: it need not be stopped.",
    .run = run_install,
};

static const struct command command_uninstall = {
    .name = "uninstall",
    .summary = "drops triggers, queues and tables; documents stay",
    .options = yes_options,
    .run = run_uninstall,
};

static const struct command command_check = {
    .name = "check",
    .summary = "whether triggers and queues are as the mappings want them",
    .run = run_check,
};

static const struct command *const children[] = {
    &command_run,
    &command_queues,
    &command_pause,
    &command_resume,
    &command_drain,
    &command_install,
    &command_uninstall,
    &command_check,
    &command_dead_letter,
    &command_consumer,
    NULL,
};

const struct command command_sync = {
    .name = "sync",
    .summary = "runs, watches and mends the sync engine",
    .children = children,
};
