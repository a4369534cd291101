/* `aethermart migrate`: projects every row into its document; by the worker, if one runs. */
#include "cli/cli_lineage.h"

#include "base/logger.h"
#include "base/mem.h"
#include "base/progress.h"
#include "sync/sync_admin.h"

#include <unistd.h>

#include "base/banned.h"

struct migration {
	struct maria *db;
	struct progress progress;
	uint64_t total, done;
	bool is_started, is_finished;
	const char *collection; /* NULL: all */
};

static void read_progress(struct migration *m)
{
	struct sync_status status = {0};

	if (sync_status_read(m->db, &status, NULL) < 0)
		return;
	m->is_finished = true;
	m->done = 0;
	m->total = 0;
	for (size_t i = 0; i < status.len; i++) {
		const struct sync_queue_status *q = &status.items[i];

		if (m->collection && !cstr_equal(m->collection, q->collection))
			continue;
		m->done += (uint64_t)q->migrated;
		if (q->migrate_total >= 0) {
			m->total += (uint64_t)q->migrate_total;
			m->is_finished = false;
		} else {
			m->total += (uint64_t)q->migrated;
		}
	}
	if (!m->is_started) {
		progress_start(&m->progress, "migrate", "documents", m->total);
		m->is_started = true;
	}
	m->progress.total = m->total;
	progress_update(&m->progress, m->done);
	sync_status_done(&status);
}

static void on_tick(void *arg)
{
	read_progress(arg);
}

static int migrate_here(const struct command_line *line, struct migration *m, struct err *err)
{
	struct cli_engine engine = {0};
	struct sync_engine_options options = {
	    .exit_when_migrated = true, .on_tick = on_tick, .on_tick_arg = m};
	int r = cli_open_engine(line, &options, &engine, err);

	if (r == 0) {
		cli_stop_on_signals(engine.engine);
		r = sync_engine_run(engine.engine, err);
	}
	cli_close_engine(&engine);
	if (r == 0)
		read_progress(m);
	if (r == 0 && !m->is_finished) {
		err_set(err, ERR_INTERRUPTED, "stopped before the migration was through");
		return err_hint(err, "run aethermart migrate --resume: it goes on where it was");
	}
	return r;
}

#define WATCH_US 100000

/*
 * The holder of the lease does the work, and this process only watches. Without one the work is
 * done here; a holder that died on another machine leaves a lease that has to expire first.
 */
static int see_through(const struct command_line *line, struct migration *m, struct err *err)
{
	for (;;) {
		struct sync_status status = {0};
		bool has_holder;
		int r = sync_status_read(m->db, &status, err);

		if (r < 0)
			return r;
		has_holder = status.has_holder;
		sync_status_done(&status);
		read_progress(m);
		if (m->is_finished)
			return 0;
		if (!has_holder) {
			r = migrate_here(line, m, err);
			if (r != -ERR_CONFLICT) /* somebody else took the lease in between */
				return r;
			err_clear(err);
		}
		usleep(WATCH_US);
	}
}

static int request(const struct command_line *line, const char *collection, struct migration *m,
		   struct mapping_set *mappings, unsigned *ret_n, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	const struct mapping *only;
	int r = cli_open_maria(line, ENDPOINT_SYNC, &m->db, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_SYNC, &mongo, err);
	if (r == 0)
		r = cli_load_mappings(line, m->db, mappings, err);
	if (r == 0)
		r = cli_find_collection(line, mappings, &only, err);
	return r == 0 ? sync_migrate_request(m->db, mongo, mappings, collection,
					     command_has(line, "resume"), ret_n, err)
		      : r;
}

/* --- lineage --------------------------------------------------------------------------------- */

/* The collections that are migrated; those of mappings without a target have no documents. */
static struct lineage_io outputs_of(const struct migration *m, const struct mapping_set *mappings,
				    struct arena *arena)
{
	struct lineage_dataset *list = arena_alloc(arena, (mappings->len + 1) * sizeof(*list));
	struct lineage_io io = {.outputs = list};

	for (size_t i = 0; i < mappings->len; i++) {
		const char *name = mapping_collection(mappings->items[i]);

		if (mapping_has_target(mappings->items[i]) &&
		    (!m->collection || cstr_equal(m->collection, name)))
			list[io.n_outputs++] =
			    (struct lineage_dataset){.kind = LINEAGE_COLLECTION, .name = name};
	}
	return io;
}

/* How many rows the workers have noted as done. */
static void count_outputs(struct migration *m, struct lineage_io *io, struct arena *arena)
{
	struct lineage_dataset *list = arena_alloc(arena, (io->n_outputs + 1) * sizeof(*list));
	struct sync_status status = {0};

	if (sync_status_read(m->db, &status, NULL) < 0)
		return;
	for (size_t i = 0; i < io->n_outputs; i++) {
		list[i] = io->outputs[i];
		for (size_t j = 0; j < status.len; j++) {
			if (!cstr_equal(status.items[j].collection, list[i].name))
				continue;
			list[i].is_counted = true;
			list[i].rows = (uint64_t)status.items[j].migrated;
		}
	}
	io->outputs = list;
	sync_status_done(&status);
}

static int migrate(const struct command_line *line, struct migration *m,
		   const struct mapping_set *mappings, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct lineage_io io = outputs_of(m, mappings, &arena);
	const struct lineage_job job = {
	    .name = "migrate", .what = "Projects all rows into their documents again", .io = io};
	struct cli_lineage *l = io.n_outputs ? cli_lineage_begin(line, ENDPOINT_SYNC, &job) : NULL;
	int r = see_through(line, m, err);

	count_outputs(m, &io, &arena);
	cli_lineage_end(l, &io, r, err);
	return r;
}

static int run_migrate(const struct command_line *line, struct err *err)
{
	struct migration m = {.collection = command_text(line, "collection")};
	struct mapping_set mappings = {0};
	unsigned n = 0;
	int r = request(line, m.collection, &m, &mappings, &n, err);

	if (r == 0 && n)
		r = migrate(line, &m, &mappings, err);
	if (m.is_started)
		progress_finish(&m.progress);
	if (r == 0 && line->json)
		r = cli_print_json(
		    json_pack("{s:i,s:I}", "collections", (int)n, "documents", (json_int_t)m.done),
		    err);
	else if (r == 0 && !n)
		fprintf(stderr, "nothing to migrate\n");
	mapping_set_done(&mappings);
	m.db = maria_close(m.db);
	return r;
}

static const struct command_option options[] = {
    {.name = "resume", .type = COMMAND_FLAG, .help = "only go on with a migration that was begun"},
    CLI_OPTION_COLLECTION,
    {0},
};

const struct command command_migrate = {
    .name = "migrate",
    .summary = "projects all rows into documents again",
    .options = options,
    .help = "Reads every row of the root tables in pages and makes its document what it should\n"
	    "be; documents without a row go. Live changes go on meanwhile. A migration that was\n"
	    "interrupted goes on where it was, with the worker's next start or with --resume.\n",
    .run = run_migrate,
};
