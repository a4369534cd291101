/*
 * Lineage of a worker: see cli_lineage_stream.h.
 *
 * A lane is one run after another of one job. The lanes of the sync are begun with the worker and
 * ended with it; when another mapping is installed they are ended and begun anew, so that each run
 * tells of one version. A lane of the index is begun when its collection is seen to be read as a
 * whole, or is told to be, and ended when it is no more.
 *
 * Counts are the only thing that is shared, under `mutex`; all else belongs to the thread.
 */
#include "cli/cli_lineage_stream.h"

#include "base/clock.h"
#include "base/logger.h"
#include "cli/cli_worker.h"

#include <pthread.h>

#include "base/banned.h"

#define LANES_MAX 256
#define LOOK_MS	  250 /* at the index: a small one is built within a second */
#define STOP_S	  5
#define LOCK_S	  2 /* for whom has a table, this does not wait longer */

enum lane_kind { LANE_SYNC, LANE_WORDS, LANE_MEANING };

struct counts {
	uint64_t written, looked_at, refused;
};

struct lane {
	enum lane_kind kind;
	char *collection;
	struct lineage_run run;
	struct counts window, total; /* of a sync; `window` under the mutex */
	bool wants_run;		     /* under the mutex */
	uint64_t documents;	     /* of an index, as last seen */
};

struct cli_lineage_stream {
	const struct command_line *line;
	struct cli_lineage_stream_options options;
	int64_t window_us;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stops;		      /* under the mutex */
	size_t n_lanes;		      /* likewise; a lane stays where it is */
	struct lane lanes[LANES_MAX]; /* of a run-time's life */
	/* The thread's own: */
	struct cli_lineage_place place;
	char *hashes; /* of the mappings as installed, when the place was opened */
	bool is_open, is_failing;
};

/* --- lanes ----------------------------------------------------------------------------------- */

/* NULL: there are too many. Under the mutex. */
static struct lane *find_lane(struct cli_lineage_stream *s, enum lane_kind kind,
			      const char *collection)
{
	struct lane *l = s->lanes;

	for (; l < s->lanes + s->n_lanes; l++)
		if (l->kind == kind && cstr_equal(l->collection, collection))
			return l;
	if (s->n_lanes == LANES_MAX)
		return NULL;
	l->kind = kind;
	l->collection = mem_strdup(collection);
	s->n_lanes++;
	return l;
}

void cli_lineage_stream_count(struct cli_lineage_stream *s, const struct sync_change *change)
{
	struct lane *l;

	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	l = find_lane(s, LANE_SYNC, change->collection);
	if (l) {
		l->window.looked_at++;
		l->window.written += cstr_equal(change->operation, "upsert") ||
				     cstr_equal(change->operation, "delete");
		l->window.refused += cstr_equal(change->operation, "refused");
	}
	pthread_mutex_unlock(&s->mutex);
}

void cli_lineage_stream_rebuild(struct cli_lineage_stream *s, const char *collection)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->n_lanes; i++)
		if (s->lanes[i].kind != LANE_SYNC &&
		    (!collection || cstr_equal(s->lanes[i].collection, collection)))
			s->lanes[i].wants_run = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Told once, until it works again. */
static int told(struct cli_lineage_stream *s, int r, struct err *err)
{
	if (r < 0 && !s->is_failing)
		logger_error(LOGGER_WARN, "lineage", "not written; trying again", err);
	else if (r == 0 && s->is_failing)
		logger_event(LOGGER_INFO, "lineage", "written again", NULL);
	s->is_failing = r < 0;
	err_clear(err);
	return r;
}

static enum lineage_kind kind_of(const struct lane *l)
{
	return l->kind == LANE_SYNC ? LINEAGE_COLLECTION : LINEAGE_INDEX;
}

static void begin_lane(struct cli_lineage_stream *s, struct lane *l)
{
	static const char *const prefixes[] = {"sync", "index.words", "index.meaning"};
	static const char *const sentences[] = {
	    "Carries committed changes into documents",
	    "Reads all documents into the index by words",
	    "Embeds all documents into the index by meaning",
	};
	_cleanup_(arena_done) struct arena arena = {0};
	const struct lineage_graph *g = s->place.graph;
	const struct lineage_dataset output = {.kind = kind_of(l), .name = l->collection};
	struct lineage_job job = {
	    .name = arena_printf(&arena, "%s.%s", prefixes[l->kind], l->collection),
	    .what = sentences[l->kind],
	    .is_stream = l->kind == LANE_SYNC,
	    .io = {.outputs = &output, .n_outputs = 1}};
	struct err err = {0};

	job.io.n_inputs = lineage_inputs(g, output.kind, output.name, &arena, &job.io.inputs);
	(void)told(s, lineage_run_begin(s->place.shop.db, &s->place.place, &job, &l->run, &err),
		   &err);
	l->total = (struct counts){0};
}

/* What was counted of a window; it is given back when it cannot be written. */
static struct counts take_window(struct cli_lineage_stream *s, struct lane *l)
{
	struct counts c;

	pthread_mutex_lock(&s->mutex);
	c = l->window;
	l->window = (struct counts){0};
	pthread_mutex_unlock(&s->mutex);
	return c;
}

static void add_counts(struct counts *to, struct counts c)
{
	to->written += c.written;
	to->looked_at += c.looked_at;
	to->refused += c.refused;
}

static void write_window(struct cli_lineage_stream *s, struct lane *l)
{
	struct counts c = take_window(s, l);
	const struct lineage_dataset output = {.kind = LINEAGE_COLLECTION,
					       .name = l->collection,
					       .is_counted = true,
					       .rows = c.written};
	const struct lineage_io io = {.outputs = &output, .n_outputs = 1};
	struct err err = {0};
	int r = told(s,
		     lineage_run_progress(s->place.shop.db, &s->place.place, &l->run,
					  c.looked_at ? &io : NULL, &err),
		     &err);

	if (r == 0) {
		add_counts(&l->total, c);
		return;
	}
	pthread_mutex_lock(&s->mutex);
	add_counts(&l->window, c);
	pthread_mutex_unlock(&s->mutex);
}

/* A sync is complete when its worker ends in order; what the index had not read to the end then is
 * not. */
static void end_lane(struct cli_lineage_stream *s, struct lane *l, bool is_stopped)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct lineage_dataset output = {.kind = kind_of(l),
					 .name = l->collection,
					 .is_counted = l->kind == LANE_SYNC || !is_stopped};
	struct lineage_io io = {.outputs = &output, .n_outputs = 1};
	struct err why = {0}, err = {0};
	struct lineage_outcome outcome = {0};

	if (!*l->run.id)
		return;
	if (l->kind == LANE_SYNC)
		add_counts(&l->total, take_window(s, l));
	output.rows = l->kind == LANE_SYNC ? l->total.written : l->documents;
	io.n_inputs = lineage_inputs(s->place.graph, output.kind, output.name, &arena, &io.inputs);
	if (l->kind != LANE_SYNC && is_stopped)
		outcome = (struct lineage_outcome){
		    err_set(&why, ERR_INTERRUPTED, "the worker was stopped"), &why};
	(void)told(s,
		   lineage_run_end(s->place.shop.db, &s->place.place, &l->run, &io, &outcome, &err),
		   &err);
}

static size_t count_lanes(struct cli_lineage_stream *s)
{
	size_t n;

	pthread_mutex_lock(&s->mutex);
	n = s->n_lanes;
	pthread_mutex_unlock(&s->mutex);
	return n;
}

static void end_lanes(struct cli_lineage_stream *s, bool is_stopped)
{
	for (size_t i = 0, n = count_lanes(s); i < n; i++)
		if (is_stopped || s->lanes[i].kind == LANE_SYNC)
			end_lane(s, &s->lanes[i], is_stopped);
}

/* --- the place ------------------------------------------------------------------------------- */

/* The hashes of the mappings as they are installed; NULL when they cannot be read. */
static char *read_hashes(struct maria *db)
{
	struct sync_status status = {0};
	struct strbuf b = STRBUF_INIT(0);

	if (sync_status_read(db, &status, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < status.len; i++)
		strbuf_addf(&b, "%s %s\n", status.items[i].collection,
			    status.items[i].mapping_hash);
	sync_status_done(&status);
	return strbuf_take(&b);
}

static void close_place(struct cli_lineage_stream *s)
{
	cli_lineage_close(&s->place);
	s->place = (struct cli_lineage_place){0};
	mem_free(s->hashes);
	s->hashes = NULL;
	s->is_open = false;
}

static void begin_syncs(struct cli_lineage_stream *s)
{
	for (size_t i = 0; i < s->place.shop.mappings.len; i++) {
		const struct mapping *m = s->place.shop.mappings.items[i];
		struct lane *l;

		if (!mapping_has_target(m))
			continue;
		pthread_mutex_lock(&s->mutex);
		l = find_lane(s, LANE_SYNC, mapping_collection(m));
		pthread_mutex_unlock(&s->mutex);
		if (l && !*l->run.id)
			begin_lane(s, l);
	}
}

/* False: not yet, or the shop has no table for it. */
static bool open_place(struct cli_lineage_stream *s)
{
	struct err err = {0};
	bool has_table = false;
	int r;

	if (s->is_open)
		return true;
	r = cli_lineage_open(s->line, ENDPOINT_SYNC, &s->place, &err);
	if (r == 0)
		r = maria_set_lock_wait(s->place.shop.db, LOCK_S, &err);
	if (r == 0)
		r = maria_has_table(s->place.shop.db, "Lineage_Runs", &has_table, &err);
	if (told(s, r, &err) < 0 || !has_table) {
		close_place(s);
		return false;
	}
	s->is_open = true;
	s->hashes = read_hashes(s->place.shop.db);
	return true;
}

/* Runs are of one version of the mappings. */
static void follow_mappings(struct cli_lineage_stream *s)
{
	_cleanup_(mem_freep) char *now = read_hashes(s->place.shop.db);

	if (!now || !s->hashes || cstr_equal(now, s->hashes))
		return;
	end_lanes(s, false);
	close_place(s);
	(void)open_place(s);
}

/* Also of jobs that never run again. */
static void end_dead(struct cli_lineage_stream *s)
{
	struct err err = {0};
	uint64_t n = 0;

	(void)told(s, lineage_abort_dead(s->place.shop.db, &s->place.place, NULL, &n, &err), &err);
}

/* --- the index ------------------------------------------------------------------------------- */

static void look_at(struct cli_lineage_stream *s, enum lane_kind kind, const json_t *part)
{
	const json_t *list = json_object_get(part, "collections");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		bool is_reading = cstr_equal(cli_text_of(c, "state"), "indexing"), wants_run;
		struct lane *l;

		pthread_mutex_lock(&s->mutex);
		l = find_lane(s, kind, cli_text_of(c, "collection"));
		wants_run = l && l->wants_run;
		if (l)
			l->wants_run = false;
		pthread_mutex_unlock(&s->mutex);
		if (!l)
			continue;
		if (!*l->run.id && (is_reading || wants_run))
			begin_lane(s, l);
		l->documents =
		    (uint64_t)cli_int_of(c, kind == LANE_WORDS ? "documents" : "vectors");
		if (*l->run.id && !is_reading)
			end_lane(s, l, false);
	}
}

static void look_at_index(struct cli_lineage_stream *s)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	_cleanup_(json_decrefp) json_t *status = NULL;
	const json_t *building;

	if (!s->options.index_status)
		return;
	s->options.index_status(s->options.arg, &b);
	status = json_loadb(strbuf_str(&b), b.len, 0, NULL);
	building = json_object_get(status, "building");
	look_at(s, LANE_WORDS, json_object_get(status, "words"));
	look_at(s, LANE_MEANING,
		json_is_object(building) ? building : json_object_get(status, "serving"));
}

/* --- the thread ------------------------------------------------------------------------------ */

static bool is_to_end(struct cli_lineage_stream *s)
{
	bool stops;

	pthread_mutex_lock(&s->mutex);
	stops = s->stops;
	pthread_mutex_unlock(&s->mutex);
	return stops;
}

/* True when it is to end. */
static bool wait_a_while(struct cli_lineage_stream *s, int64_t until_us)
{
	bool stops;

	pthread_mutex_lock(&s->mutex);
	if (!s->stops)
		(void)clock_cond_wait(&s->wake, &s->mutex, until_us);
	stops = s->stops;
	pthread_mutex_unlock(&s->mutex);
	return stops;
}

static void *stream_main(void *arg)
{
	struct cli_lineage_stream *s = arg;
	int64_t next_us = 0; /* window */

	do {
		if (clock_monotonic_us() >= next_us) {
			next_us = clock_monotonic_us() + s->window_us;
			if (open_place(s)) {
				follow_mappings(s);
				begin_syncs(s);
			}
			if (s->is_open)
				end_dead(s);
			for (size_t i = 0, n = count_lanes(s); i < n && s->is_open; i++)
				/* What was counted waits for a run to belong to. */
				if (s->lanes[i].kind == LANE_SYNC && *s->lanes[i].run.id)
					write_window(s, &s->lanes[i]);
		}
		if (s->is_open && !is_to_end(s)) /* the index may be gone when it is */
			look_at_index(s);
	} while (!wait_a_while(s, clock_monotonic_us() + (int64_t)LOOK_MS * 1000));
	if (s->is_open)
		end_lanes(s, true);
	close_place(s);
	return NULL;
}

struct cli_lineage_stream *cli_lineage_stream_new(const struct command_line *line,
						  const struct cli_lineage_stream_options *options)
{
	struct cli_lineage_stream *s;

	if (!config_bool(line->config, "lineage.enabled"))
		return NULL;
	s = MEM_NEW(struct cli_lineage_stream);
	s->line = line;
	s->options = *options;
	s->window_us = config_int(line->config, "lineage.window") * 1000;
	bug_if(pthread_mutex_init(&s->mutex, NULL) != 0);
	clock_cond_init(&s->wake);
	bug_if(pthread_create(&s->thread, NULL, stream_main, s) != 0);
	return s;
}

bool cli_lineage_stream_stop(struct cli_lineage_stream *s)
{
	struct timespec until;

	if (!s)
		return true;
	pthread_mutex_lock(&s->mutex);
	s->stops = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_S;
	if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	for (size_t i = 0; i < s->n_lanes; i++)
		mem_free(s->lanes[i].collection);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	mem_free(s);
	return true;
}
