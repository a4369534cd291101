/*
 * Runs and their events: see lineage.h. An event and what it does to Lineage_Runs are one
 * transaction; the unique key (run_id, run_end) of the table keeps a run at one START and one end,
 * whoever writes them.
 *
 * A run has the name of its process (base/proc.h). Of a process whose end cannot be told from here
 * the runs are left alone until nothing was heard of them for GIVEN_UP_S.
 */
#include "govern/lineage_int.h"

#include "base/file.h"
#include "base/proc.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/banned.h"

#define GIVEN_UP_S ((int64_t)7 * 24 * 3600)
#define LIST_MAX   60000 /* bytes of a TEXT */
#define GTID_MAX   512

const struct config_option lineage_options[] = {
    {.section = "lineage",
     .name = "enabled",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .help = "Whether load, migrate, sync, index, warehouse and erase write what they made of what "
	     "into data_lineage_tracker."},
    {.section = "lineage",
     .name = "window",
     .type = CONFIG_DURATION,
     .fallback = "1m",
     .min = 1000,
     .max = 86400000,
     .help = "How often a worker writes how much it carried into each collection; nothing when it "
	     "carried nothing."},
    {.section = "lineage",
     .name = "namespace",
     .type = CONFIG_TEXT,
     .fallback = "aethermart",
     .help = "How this shop's jobs, and stores that `up` started, are called in events: two shops "
	     "that export to one endpoint need two names."},
    {0},
};

/* --- processes ------------------------------------------------------------------------------- */

bool lineage_is_gone(const char *process, int64_t silent_s)
{
	return proc_name_has_ended(process) || proc_name_is_of_former_boot(process) ||
	       silent_s > GIVEN_UP_S;
}

/* --- events ---------------------------------------------------------------------------------- */

static void make_uuid(char ret[37])
{
	unsigned char b[16];

	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40); /* RFC 9562, version 4 */
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
	for (size_t i = 0, at = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		(void)snprintf(ret + at, 3, "%02x", b[i]);
		at += 2;
	}
}

struct now {
	char time[32];
	char gtid[GTID_MAX + 1];
};

static int read_now(struct maria *db, struct now *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(db, govern_sql_lineage_now, NULL, 0, &rows, err);

	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_INTERNAL, "the server told no time");
	(void)snprintf(ret->time, sizeof(ret->time), "%.*s", STR_ARGS(maria_rows_str(rows, 0)));
	(void)snprintf(ret->gtid, sizeof(ret->gtid), "%.*s", STR_ARGS(maria_rows_str(rows, 1)));
	return 0;
}

/* Names for people who ask by SQL, and the sum where all were counted. */
static struct maria_value sum_up(const struct lineage_place *place,
				 const struct lineage_dataset *list, size_t n, struct strbuf *names)
{
	uint64_t rows = 0;
	bool is_counted = n > 0;

	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(names, i ? ", " : "");
		if (list[i].kind == LINEAGE_FILE)
			strbuf_add_visible(names, list[i].name, strlen(list[i].name));
		else
			lineage_dataset_name(place, list[i].kind, list[i].name, names);
		is_counted &= list[i].is_counted;
		rows += list[i].rows;
	}
	return is_counted ? MARIA_U(rows) : MARIA_N;
}

struct written { /* an event and what it is besides its JSON */
	struct lineage_fact fact;
	const char *error_class;
};

static int write_event(struct maria *db, const struct lineage_place *place, const struct written *w,
		       const struct now *now, struct err *err)
{
	const struct lineage_fact *f = &w->fact;
	_cleanup_(strbuf_done) struct strbuf inputs = STRBUF_INIT(LIST_MAX),
					     outputs = STRBUF_INIT(LIST_MAX);
	struct maria_value read = sum_up(place, f->io.inputs, f->io.n_inputs, &inputs);
	struct maria_value wrote = sum_up(place, f->io.outputs, f->io.n_outputs, &outputs);
	json_t *json = lineage_event_json(place, f);
	_cleanup_(mem_freep) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	char producer[128];

	json_decref(json);
	if (!text)
		return err_set(err, ERR_INTERNAL,
			       "an event of job \"%s\" cannot be written as JSON", f->job);
	(void)snprintf(producer, sizeof(producer), "aethermart %s", place->version);
	return maria_run(db, govern_sql_lineage_add,
			 MARIA_ARGS(MARIA_S(f->run), MARIA_S(place->job_namespace), MARIA_S(f->job),
				    MARIA_S(lineage_type_name(f->type)), MARIA_S(f->time),
				    MARIA_S(producer), MARIA_S(strbuf_str(&inputs)),
				    MARIA_S(strbuf_str(&outputs)), read, wrote, MARIA_S(now->gtid),
				    w->error_class ? MARIA_S(w->error_class) : MARIA_N,
				    MARIA_S(text)),
			 NULL, err);
}

static int finish(struct maria *db, int r, struct err *err)
{
	return maria_finish(db, r, err) < 0 ? err_context(err, "writing lineage") : 0;
}

/* A connection that waited through hours of work may be gone: once, a new one. */
static int begin(struct maria *db, struct now *ret, struct err *err)
{
	int r = read_now(db, ret, err);

	if (r < 0 && maria_is_lost(db)) {
		err_clear(err);
		r = maria_reconnect(db, err);
		if (r == 0)
			r = read_now(db, ret, err);
	}
	return r < 0 ? r : maria_exec(db, "START TRANSACTION", err);
}

/* --- runs that are over without an end ------------------------------------------------------- */

struct left { /* over */
	char id[37], job[LINEAGE_JOB_MAX + 1];
};

static int find_gone(struct maria *db, const char *job, struct left **ret, size_t *ret_n,
		     struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t cap = 0;
	int r =
	    maria_query(db, govern_sql_lineage_runs,
			MARIA_ARGS(MARIA_S(job ? job : ""), MARIA_S(job ? job : "")), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct left *l;

		if (!lineage_is_gone(maria_rows_str(rows, 2).data, maria_rows_int(rows, 3)))
			continue;
		mem_grow(ret, &cap, *ret_n + 1, sizeof(**ret));
		l = &(*ret)[(*ret_n)++];
		(void)snprintf(l->id, sizeof(l->id), "%.*s", STR_ARGS(maria_rows_str(rows, 0)));
		(void)snprintf(l->job, sizeof(l->job), "%.*s", STR_ARGS(maria_rows_str(rows, 1)));
	}
	return r;
}

static int end_run(struct maria *db, const struct lineage_place *place, const struct written *w,
		   struct now *now, struct err *err)
{
	uint64_t n = 0;
	int r =
	    maria_run(db, govern_sql_lineage_run_drop, MARIA_ARGS(MARIA_S(w->fact.run)), &n, err);

	/* Somebody else has ended it: of a machine that was given up, and came back. */
	return r < 0 || !n ? r : write_event(db, place, w, now, err);
}

int lineage_abort_dead(struct maria *db, const struct lineage_place *place, const char *job,
		       uint64_t *ret_n, struct err *err)
{
	_cleanup_(mem_freep) struct left *gone = NULL;
	size_t n = 0;
	int r = find_gone(db, job, &gone, &n, err);

	*ret_n = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct now now;
		struct written w = {
		    .fact = {.type = LINEAGE_ABORT,
			     .time = now.time,
			     .run = gone[i].id,
			     .job = gone[i].job,
			     .is_stream = str_starts(str_from(gone[i].job), "sync."),
			     .error = "the process that ran it is gone"},
		    .error_class = "INTERRUPTED"};

		r = begin(db, &now, err);
		if (r == 0)
			r = finish(db, end_run(db, place, &w, &now, err), err);
		*ret_n += r == 0;
	}
	return r;
}

/* --- begin, progress, end -------------------------------------------------------------------- */

static int add_run(struct maria *db, const struct lineage_fact *f, struct err *err)
{
	_cleanup_(mem_freep) char *process = proc_name();

	return maria_run(db, govern_sql_lineage_run_add,
			 MARIA_ARGS(MARIA_S(f->run), MARIA_S(f->job), MARIA_S(process),
				    MARIA_S(f->time), MARIA_S(f->time)),
			 NULL, err);
}

int lineage_run_begin(struct maria *db, const struct lineage_place *place,
		      const struct lineage_job *job, struct lineage_run *ret, struct err *err)
{
	struct lineage_run run = {0};
	struct now now;
	struct written w = {.fact = {.type = LINEAGE_START,
				     .time = now.time,
				     .run = run.id,
				     .job = job->name,
				     .what = job->what,
				     .is_stream = job->is_stream,
				     .io = job->io}};
	uint64_t n;
	int r = lineage_abort_dead(db, place, job->name, &n, err);

	*ret = (struct lineage_run){0};
	if (strlen(job->name) > LINEAGE_JOB_MAX)
		return err_set(err, ERR_LIMIT, "the name of a job has more than %d bytes",
			       LINEAGE_JOB_MAX);
	make_uuid(run.id);
	(void)snprintf(run.job, sizeof(run.job), "%s", job->name);
	run.is_stream = job->is_stream;
	if (r == 0)
		r = begin(db, &now, err);
	if (r < 0)
		return r;
	r = add_run(db, &w.fact, err);
	if (r == 0)
		r = write_event(db, place, &w, &now, err);
	r = finish(db, r, err);
	if (r == 0)
		*ret = run;
	return r;
}

int lineage_run_progress(struct maria *db, const struct lineage_place *place,
			 const struct lineage_run *run, const struct lineage_io *io,
			 struct err *err)
{
	struct now now;
	struct written w = {.fact = {.type = LINEAGE_RUNNING,
				     .time = now.time,
				     .run = run->id,
				     .job = run->job,
				     .is_stream = run->is_stream}};
	int r;

	if (!*run->id)
		return 0;
	r = begin(db, &now, err);
	if (r < 0)
		return r;
	r = maria_run(db, govern_sql_lineage_run_seen,
		      MARIA_ARGS(MARIA_S(now.time), MARIA_S(run->id)), NULL, err);
	if (r == 0 && io) {
		w.fact.io = *io;
		r = write_event(db, place, &w, &now, err);
	}
	return finish(db, r, err);
}

int lineage_run_end(struct maria *db, const struct lineage_place *place, struct lineage_run *run,
		    const struct lineage_io *io, const struct lineage_outcome *outcome,
		    struct err *err)
{
	struct now now;
	struct written w = {.fact = {.type = LINEAGE_COMPLETE,
				     .time = now.time,
				     .run = run->id,
				     .job = run->job,
				     .is_stream = run->is_stream}};
	int r;

	if (!*run->id)
		return 0;
	if (io)
		w.fact.io = *io;
	if (outcome->r < 0) {
		w.fact.type = outcome->r == -ERR_INTERRUPTED ? LINEAGE_ABORT : LINEAGE_FAIL;
		w.fact.error = outcome->why ? outcome->why->message : err_text(outcome->r);
		w.error_class = err_name(outcome->r);
	}
	r = begin(db, &now, err);
	if (r == 0)
		r = finish(db, end_run(db, place, &w, &now, err), err);
	run->id[0] = 0;
	return r;
}

int lineage_quality_event(struct maria *db, const struct lineage_place *place,
			  const struct lineage_dataset *datasets, size_t n, struct err *err)
{
	const struct lineage_job job = {.name = "quality",
					.what = "Checks the rules of quality",
					.io = {.inputs = datasets, .n_inputs = n}};
	struct lineage_run run;
	int r = lineage_run_begin(db, place, &job, &run, err);

	return r < 0 ? r
		     : lineage_run_end(db, place, &run, &job.io, &(struct lineage_outcome){0}, err);
}

/* --- rights ---------------------------------------------------------------------------------- */

void lineage_add_grants(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "SELECT, INSERT", database, "data_lineage_tracker", user);
	maria_add_grant(b, "SELECT, INSERT, UPDATE, DELETE", database, "Lineage_Runs", user);
}
