/*
 * Judging documents in the path of the sync: see quality_stream.h.
 *
 * Nearly all documents pass, so passing has to cost next to nothing: which keys fail now is known
 * in memory, and a document that passes is no finding unless its key is among them. That memory is
 * read from MariaDB at the start and once a minute, since runs, and workers before this one, record
 * there, too; what waits to be written is put on top of what was read.
 *
 * One mutex guards the queue and the keys; the sync's threads take it once a batch, and not at all
 * when nothing fails or has failed.
 */
#include "govern/quality_stream.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/map.h"
#include "base/metrics.h"
#include "govern/govern_sql_int.h"
#include "govern/quality_int.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/banned.h"

#define LOCK_S	   2	    /* somebody's lock must not keep a worker from ending */
#define OPEN_MAX   100000   /* keys that are known to fail; of more, passing is left to runs */
#define AGAIN_US   60000000 /* a key that goes on failing is told again, and keys are read again */
#define RETRY_US   1000000
#define WRITE_MAX  256 /* findings a transaction */
#define STOP_US	   2000000
#define OPEN_US(p) ((int64_t)(uintptr_t)(p)) /* what the map holds: when it was told; 0: passes */

struct streamed {
	const struct quality_check *check;
	atomic_size_t n_open; /* keys that fail: so that nobody asks the map for nothing */
};

struct finding {
	struct streamed *of;
	char *key; /* owned */
	bool fails;
};

struct quality_stream {
	struct quality_checks *checks;
	struct streamed *streams;
	size_t n_streams;
	const struct maria_options *maria;
	struct maria *db; /* of the thread that records */
	struct metric *m_judged, *m_failed, *m_lost, *m_waiting;
	atomic_bool is_read; /* before, any key could be one that fails, so all are told */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	/* under the mutex: */
	bool stops;
	int64_t stop_at_us;
	struct finding waiting[QUALITY_WAITING_MAX]; /* a ring */
	size_t first, n_waiting;
	struct arena arena; /* of the keys of `open` */
	struct map open;    /* "check key" to when it was told */
	uint64_t lost;
	size_t n_open; /* of all checks */
};

/* --- keys that fail -------------------------------------------------------------------------- */

static struct str open_name(struct strbuf *b, const struct quality_check *c, struct str key)
{
	strbuf_clear(b);
	strbuf_addstr(b, c->name);
	strbuf_addch(b, ' '); /* no name has one */
	strbuf_add(b, key.data, key.len);
	return strbuf_slice(b);
}

static void mark(struct quality_stream *s, struct streamed *of, struct str name, bool fails,
		 int64_t now_us)
{
	void *known = map_get(&s->open, name);

	if (fails && !known) {
		if (s->n_open >= OPEN_MAX)
			return;
		name.data = arena_strndup(&s->arena, name.data, name.len);
		s->n_open++;
		atomic_fetch_add(&of->n_open, 1);
	} else if (!fails && known) {
		s->n_open--;
		atomic_fetch_sub(&of->n_open, 1);
	} else if (!fails) {
		return;
	}
	*map_put(&s->open, name) = fails ? (void *)(uintptr_t)now_us : NULL;
}

/* --- the sync's threads ---------------------------------------------------------------------- */

static void push(struct quality_stream *s, struct streamed *of, struct str key, bool fails,
		 struct strbuf *b)
{
	struct str name = open_name(b, of->check, key);
	int64_t told_us = OPEN_US(map_get(&s->open, name));
	int64_t now_us = fails ? clock_monotonic_us() : 0;

	if (fails ? told_us && now_us - told_us < AGAIN_US : !told_us && atomic_load(&s->is_read))
		return; /* it is known */
	if (s->n_waiting == QUALITY_WAITING_MAX) {
		s->lost++;
		metric_add(s->m_lost, 1);
		return;
	}
	s->waiting[(s->first + s->n_waiting++) % QUALITY_WAITING_MAX] =
	    (struct finding){of, mem_strndup(key.data, key.len), fails};
	mark(s, of, name, fails, now_us);
}

static bool fails_check(const struct quality_check *c, const struct mapping_document *d)
{
	return d->state == MAPPING_PRESENT && !quality_judge(c, d->document);
}

static bool may_be_open(const struct quality_stream *s, const struct streamed *of)
{
	return atomic_load_explicit(&of->n_open, memory_order_relaxed) ||
	       !atomic_load_explicit(&s->is_read, memory_order_relaxed);
}

/* What passes is looked at only when something fails; then the mutex is held for the batch. */
static void judge_check(struct quality_stream *s, struct streamed *of,
			const struct mapping_document *documents, size_t n)
{
	struct strbuf name = STRBUF_INIT(0);
	bool is_locked = false;

	for (size_t i = 0; i < n; i++) {
		bool fails = fails_check(of->check, &documents[i]);

		if (documents[i].state == MAPPING_REFUSED || (!fails && !may_be_open(s, of)))
			continue;
		if (!is_locked)
			pthread_mutex_lock(&s->mutex);
		is_locked = true;
		metric_add(s->m_failed, fails);
		push(s, of, documents[i].key, fails, &name);
	}
	if (is_locked) {
		if (s->n_waiting)
			pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->mutex);
	}
	strbuf_done(&name);
}

void quality_stream_judge(struct quality_stream *s, const struct mapping *m,
			  const struct mapping_document *documents, size_t n)
{
	const char *collection = mapping_collection(m);
	size_t n_judged = 0;

	for (size_t i = 0; i < s->n_streams; i++) {
		if (!cstr_equal(s->streams[i].check->collection, collection))
			continue;
		judge_check(s, &s->streams[i], documents, n);
		n_judged += n;
	}
	metric_add(s->m_judged, n_judged);
}

/* --- the thread that records ----------------------------------------------------------------- */

static int write_finding(struct quality_stream *s, const struct finding *f, struct err *err)
{
	const struct quality_check *c = f->of->check;

	if (f->fails)
		return maria_run(s->db, govern_sql_quality_quarantine_add,
				 MARIA_ARGS(MARIA_S(c->name), MARIA_S(c->collection),
					    MARIA_S(f->key), MARIA_S(c->about), MARIA_S("stream"),
					    MARIA_N),
				 NULL, err);
	return maria_run(s->db, govern_sql_quality_quarantine_resolve_one,
			 MARIA_ARGS(MARIA_S(c->name), MARIA_S(c->collection), MARIA_S(f->key)),
			 NULL, err);
}

static int connect_db(struct quality_stream *s, struct err *err)
{
	int r;

	if (s->db && maria_is_lost(s->db))
		s->db = maria_close(s->db);
	if (s->db)
		return 0;
	r = maria_open(s->maria, &s->db, err);
	if (r == 0)
		r = maria_set_lock_wait(s->db, LOCK_S, err);
	if (r < 0)
		s->db = maria_close(s->db);
	return r;
}

static int write_findings(struct quality_stream *s, const struct finding *f, size_t n,
			  struct err *err)
{
	int r = connect_db(s, err);

	if (r < 0)
		return r;
	r = maria_exec(s->db, "START TRANSACTION", err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = write_finding(s, &f[i], err);
	return maria_finish(s->db, r, err);
}

/* Until something waits, `until_us`, or the end. The mutex is held. */
static void wait_for_findings(struct quality_stream *s, int64_t until_us)
{
	while (!s->n_waiting && !s->stops && clock_cond_wait(&s->wake, &s->mutex, until_us))
		;
}

static size_t take_findings(struct quality_stream *s, struct finding *ret)
{
	size_t n = s->n_waiting < WRITE_MAX ? s->n_waiting : WRITE_MAX;

	for (size_t i = 0; i < n; i++)
		ret[i] = s->waiting[(s->first + i) % QUALITY_WAITING_MAX];
	s->first = (s->first + n) % QUALITY_WAITING_MAX;
	s->n_waiting -= n;
	return n;
}

static bool is_over(struct quality_stream *s)
{
	bool over;

	pthread_mutex_lock(&s->mutex);
	over = s->stops && clock_monotonic_us() >= s->stop_at_us;
	pthread_mutex_unlock(&s->mutex);
	return over;
}

static void pause_for(struct quality_stream *s, int64_t us)
{
	int64_t until_us = clock_monotonic_us() + us;

	pthread_mutex_lock(&s->mutex);
	if (s->stops && s->stop_at_us < until_us)
		until_us = s->stop_at_us;
	while (clock_cond_wait(&s->wake, &s->mutex, until_us))
		;
	pthread_mutex_unlock(&s->mutex);
}

static void lose(struct quality_stream *s, size_t n, const struct err *why)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", n);
	logger_event(LOGGER_WARN, "quality", "findings of the stream were lost", "n", text, "why",
		     why->message, NULL);
	pthread_mutex_lock(&s->mutex);
	s->lost += n;
	pthread_mutex_unlock(&s->mutex);
	metric_add(s->m_lost, n);
}

/* MariaDB may be away for a while; what it refuses for good is given up. */
static void record(struct quality_stream *s, const struct finding *f, size_t n)
{
	struct err err = {0};
	int r;

	while ((r = write_findings(s, f, n, &err)) < 0) {
		bool may_heal = err_is_retryable(r) || (s->db && maria_is_lost(s->db));

		if (!may_heal || is_over(s)) {
			lose(s, n, &err);
			return;
		}
		err_clear(&err);
		pause_for(s, RETRY_US);
	}
}

/* --- what others recorded -------------------------------------------------------------------- */

static int read_open(struct quality_stream *s, const struct quality_check *c, struct arena *arena,
		     struct map *open, size_t *ret_n, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);
	int64_t now_us = clock_monotonic_us();
	int r = maria_query(s->db, govern_sql_quality_quarantine_open,
			    MARIA_ARGS(MARIA_S(c->name), MARIA_I(OPEN_MAX)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str key = open_name(&name, c, maria_rows_str(rows, 0));

		if (open->len == OPEN_MAX)
			continue;
		*map_put(open, arena_str(arena, key)) = (void *)(uintptr_t)now_us;
		++*ret_n;
	}
	return r;
}

/* What waits came later than what was read. */
static void put_on_top(struct quality_stream *s)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < s->n_waiting; i++) {
		const struct finding *f = &s->waiting[(s->first + i) % QUALITY_WAITING_MAX];

		mark(s, f->of, open_name(&name, f->of->check, str_from(f->key)), f->fails, now_us);
	}
}

static void read_all_open(struct quality_stream *s)
{
	struct arena arena = {0};
	struct map open = {0};
	size_t *n = mem_alloc_array(s->n_streams + 1, sizeof(*n));
	struct err err = {0};
	int r = connect_db(s, &err);

	for (size_t i = 0; i < s->n_streams && r == 0; i++)
		r = read_open(s, s->streams[i].check, &arena, &open, &n[i], &err);
	pthread_mutex_lock(&s->mutex);
	if (r == 0) {
		struct arena old = s->arena;
		struct map old_open = s->open;

		s->arena = arena;
		s->open = open;
		s->n_open = open.len;
		for (size_t i = 0; i < s->n_streams; i++)
			atomic_store(&s->streams[i].n_open, n[i]);
		put_on_top(s);
		arena = old;
		open = old_open;
	}
	/* What is refused for good (no such table, no right) is told when something is recorded. */
	if (r == 0 || !err_is_retryable(r))
		atomic_store(&s->is_read, true);
	pthread_mutex_unlock(&s->mutex);
	map_done(&open);
	arena_done(&arena);
	mem_free(n);
}

static void tell_lost(struct quality_stream *s, uint64_t *told)
{
	uint64_t lost;
	char text[24];

	pthread_mutex_lock(&s->mutex);
	lost = s->lost;
	pthread_mutex_unlock(&s->mutex);
	if (lost == *told)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64, lost);
	logger_event(LOGGER_WARN, "quality",
		     "more documents failed than could be recorded: `aethermart quality run` finds "
		     "them all",
		     "lost", text, NULL);
	*told = lost;
}

static void *record_main(void *arg)
{
	struct quality_stream *s = arg;
	struct finding in_hand[WRITE_MAX];
	int64_t read_at_us = 0;
	uint64_t told = 0;
	bool ends = false;

	while (!ends) {
		size_t n;

		if (clock_monotonic_us() >= read_at_us) {
			read_all_open(s);
			read_at_us = clock_monotonic_us() + AGAIN_US;
			tell_lost(s, &told);
		}
		pthread_mutex_lock(&s->mutex);
		wait_for_findings(s, read_at_us);
		n = take_findings(s, in_hand);
		ends = s->stops && !s->n_waiting;
		metric_set(s->m_waiting, (int64_t)s->n_waiting);
		pthread_mutex_unlock(&s->mutex);
		if (n)
			record(s, in_hand, n);
		for (size_t i = 0; i < n; i++)
			mem_free(in_hand[i].key);
		ends = ends || is_over(s);
	}
	tell_lost(s, &told);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct quality_stream *quality_stream_start(struct quality_checks *checks,
					    const struct maria_options *maria)
{
	struct quality_stream *s = MEM_NEW(struct quality_stream);

	s->checks = checks;
	s->maria = maria;
	s->streams = mem_alloc_array(checks->n + 1, sizeof(*s->streams));
	for (size_t i = 0; i < checks->n; i++)
		if (checks->items[i].streams)
			s->streams[s->n_streams++].check = &checks->items[i];
	s->m_judged =
	    metric_series(METRIC_COUNTER, "aethermart_quality_judged_total",
			  "Documents that streaming checks have judged, once a check.", NULL, NULL);
	s->m_failed = metric_series(METRIC_COUNTER, "aethermart_quality_failed_total",
				    "Documents that failed a streaming check.", NULL, NULL);
	s->m_lost =
	    metric_series(METRIC_COUNTER, "aethermart_quality_lost_total",
			  "Findings of streaming checks that could not be recorded.", NULL, NULL);
	s->m_waiting = metric_series(METRIC_GAUGE, "aethermart_quality_waiting",
				     "Findings that wait to be recorded.", NULL, NULL);
	bug_if(pthread_mutex_init(&s->mutex, NULL) != 0);
	clock_cond_init(&s->wake);
	bug_if(pthread_create(&s->thread, NULL, record_main, s) != 0);
	return s;
}

void quality_stream_stop(struct quality_stream *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->stops = true;
	s->stop_at_us = clock_monotonic_us() + STOP_US;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	bug_if(pthread_join(s->thread, NULL) != 0);
	for (size_t i = 0; i < s->n_waiting; i++)
		mem_free(s->waiting[(s->first + i) % QUALITY_WAITING_MAX].key);
	(void)maria_close(s->db);
	map_done(&s->open);
	arena_done(&s->arena);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	mem_free(s->streams);
	quality_free(s->checks);
	mem_free(s);
}

void quality_stream_state(struct quality_stream *s, struct quality_stream_state *ret)
{
	pthread_mutex_lock(&s->mutex);
	*ret = (struct quality_stream_state){.n_checks = s->n_streams,
					     .n_open = s->n_open,
					     .n_waiting = s->n_waiting,
					     .lost = s->lost};
	pthread_mutex_unlock(&s->mutex);
}

void quality_stream_add_grant(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "SELECT, INSERT, UPDATE", database, "Quality_Quarantine", user);
}
