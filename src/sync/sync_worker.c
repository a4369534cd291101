/*
 * A worker: the loop that carries changes. It owns the keys that hash to it, in every collection.
 *
 * A round looks with one statement which queues hold rows for this worker, then handles a batch of
 * each, then a page of each migration. A round without work is followed by a sleep of 2 ms that
 * grows to 4 ms: MariaDB notifies nobody, so this is the one poll that there is. When nothing
 * happened for half a second, one of the idle workers looks out for all of them, each 10 ms, and
 * wakes the others when there is something.
 *
 * Errors: whatever heals by itself (connection, time-out, conflict) drops the batch, which was not
 * acknowledged, and comes back after a pause with jitter. Three conflicts in a row halve the batch,
 * down to one root. Only what names a document sets that document aside.
 */
#include "sync/sync_int.h"

#include "base/logger.h"

#include <stdlib.h>

#include "base/banned.h"

#define POLL_MIN_US		 2000
#define POLL_IDLE_US		 10000
#define POLL_BUSY_US		 4000 /* at most, so long after a change: the next is not far */
#define BUSY_US			 500000
#define FULL_LOOK_US		 1000000
#define PAUSE_MIN_US		 20000
#define PAUSE_MAX_US		 2000000
#define CONFLICTS_BEFORE_HALVING 3
#define ACK_ATTEMPTS		 10

/* --- acknowledgement ------------------------------------------------------------------------- */

static int acknowledge_once(struct sync_worker *w, const struct sync_batch *b, const uint64_t *ids,
			    size_t n, struct err *err)
{
	int r = sync_begin_guarded(w, err);

	if (r == 0)
		r = sync_queue_delete(b->queue, w->db, ids, n, err);
	if (r == 0)
		r = sync_batch_record(w, b, err);
	return sync_end(w->db, r, err);
}

/* A deadlock repeats the acknowledgement, not the writing. */
static int acknowledge(struct sync_worker *w, const struct sync_batch *b, const uint64_t *ids,
		       size_t n, struct err *err)
{
	int r = 0;

	for (int attempt = 0; attempt < ACK_ATTEMPTS; attempt++) {
		r = acknowledge_once(w, b, ids, n, err);
		if (r != -ERR_RETRY && r != -ERR_TIMEOUT)
			break;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		if (ids[i] > b->queue->acked_max)
			b->queue->acked_max = ids[i];
	}
	return r < 0 ? err_context(err, "acknowledging") : 0;
}

/* --- documents ------------------------------------------------------------------------------- */

/* Unique roots of the claim, at most `limit`, with the oldest time of each. Returns whether all
 * fit. */
static bool gather_roots(struct sync_worker *w, struct sync_batch *b, size_t limit)
{
	struct map seen = {0};
	bool fits = true;

	b->keys = arena_alloc(&w->arena, (w->claim.len + 1) * sizeof(*b->keys));
	b->queued_us = arena_alloc(&w->arena, (w->claim.len + 1) * sizeof(*b->queued_us));
	for (size_t i = 0; i < w->claim.len; i++) {
		const struct sync_item *it = &w->claim.items[i];
		int64_t *at;

		if (it->path != MAPPING_PATH_ROOT)
			continue;
		at = map_get(&seen, it->key);
		if (at) {
			if (it->queued_us < *at)
				*at = it->queued_us;
			continue;
		}
		if (b->n == limit) {
			fits = false;
			continue;
		}
		b->keys[b->n] = it->key;
		b->queued_us[b->n] = it->queued_us;
		*map_put(&seen, it->key) = &b->queued_us[b->n];
		b->n++;
	}
	map_done(&seen);
	return fits;
}

/*
 * Several rows name one root, the more the longer the queue, and go with one write; so a claim is
 * larger than a batch. How much larger follows what the last one held: rows beyond the batch were
 * read for nothing.
 */
#define ROWS_A_ROOT 20

static void adapt_claim(struct sync_progress *p, bool fits, size_t claimed, size_t n_roots)
{
	if (!fits)
		p->rows /= 2;
	else if (claimed >= p->rows && n_roots < p->limit)
		p->rows *= 2;
	if (p->rows < p->limit)
		p->rows = p->limit;
	if (p->rows > p->limit * ROWS_A_ROOT)
		p->rows = p->limit * ROWS_A_ROOT;
}

/* The queue rows of the roots that were handled. Those put off and left over stay, and hold the
 * floor below them. */
static size_t ids_of_handled(struct sync_worker *w, const struct sync_batch *b, uint64_t *ids)
{
	struct map handled = {0};
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		*map_put(&handled, b->keys[i]) = w;
	for (size_t i = 0; i < w->claim.len; i++) {
		const struct sync_item *it = &w->claim.items[i];

		if (it->path != MAPPING_PATH_ROOT)
			continue;
		if (map_get(&handled, it->key))
			ids[n++] = it->id;
		else
			sync_queue_hold(b->queue, it->id);
	}
	map_done(&handled);
	return n;
}

static int apply_roots(struct sync_worker *w, size_t i, int64_t claimed_us, size_t *ret_done,
		       struct err *err)
{
	struct sync_shared *s = w->shared;
	struct sync_batch b = {.collection = &s->collections[i],
			       .queue = &w->queues[i],
			       .claimed_us = claimed_us,
			       .is_repeated = w->live[i].failures > 0,
			       .version = sync_batch_version(s)};
	uint64_t *ids = arena_alloc(&w->arena, (w->claim.len + 1) * sizeof(*ids));
	bool fits = gather_roots(w, &b, w->live[i].limit);
	size_t n = 0;
	int r;

	adapt_claim(&w->live[i], fits, w->claim.len, b.n);
	if (!b.n)
		return 0;
	pthread_rwlock_rdlock(&b.collection->moving);
	r = sync_batch_apply(w, &b, err);
	if (r == 0)
		n = ids_of_handled(w, &b, ids);
	if (n)
		r = acknowledge(w, &b, ids, n, err);
	pthread_rwlock_unlock(&b.collection->moving);
	if (r == 0) {
		*ret_done += n;
		sync_batch_count(w, &b);
	}
	return r;
}

static int handle_queue(struct sync_worker *w, size_t i, unsigned flags, bool *ret_worked,
			struct err *err)
{
	struct sync_collection *c = &w->shared->collections[i];
	struct err first = {0};
	int64_t claimed_us;
	size_t done = 0;
	int r;

	arena_clear(&w->arena);
	r = sync_queue_claim(&w->queues[i], w->db, flags, w->live[i].rows, &w->claim, err);
	claimed_us = clock_monotonic_us();
	if (r < 0)
		return r;
	w->queues[i].hold = 0;
	if (!w->claim.len)
		return 0;
	/* An expansion that fails must not keep documents waiting. */
	if (sync_expand_all(w, c, &w->queues[i], &done, &first) < 0 && maria_is_lost(w->db))
		r = -(int)first.code;
	else
		r = apply_roots(w, i, claimed_us, &done, err);
	/* Rows that only wait for a key change are no work: the round may sleep. */
	*ret_worked |= done > 0;
	if (r == 0 && !first.code)
		return 0;
	sync_queue_hold(&w->queues[i], w->claim.items[0].id);
	if (first.code)
		*err = first;
	return -(int)err->code;
}

/* --- the loop -------------------------------------------------------------------------------- */

static void disconnect(struct sync_worker *w)
{
	w->sink = sync_sink_free(w->sink);
	w->db = maria_close(w->db);
}

static int measure_clock(struct sync_worker *w, struct err *err)
{
	int64_t before = clock_wall_us(), theirs;
	int r = maria_query_int(w->db, sync_sql_session_clock, NULL, 0, &theirs, err);

	if (r == 0)
		w->clock_offset_us = theirs - (before + clock_wall_us()) / 2;
	return r;
}

static int connect_stores(struct sync_worker *w, struct err *err)
{
	int r;

	if (w->db && maria_is_lost(w->db))
		w->db = maria_close(w->db);
	if (!w->db) {
		r = maria_open(w->shared->options->maria, &w->db, err);
		if (r == 0)
			r = sync_session_init(w->db, err);
		if (r == 0)
			r = measure_clock(w, err);
		if (r < 0) {
			w->db = maria_close(w->db);
			return r;
		}
	}
	if (w->sink)
		return 0;
	r = sync_sink_new(w->mongo, w->owner, &w->sink, err);
	if (r == 0)
		r = sync_sink_sign(w->sink, w->shared->term, err);
	if (r < 0)
		w->sink = sync_sink_free(w->sink);
	return r;
}

static char *make_peek_sql(const struct sync_worker *w)
{
	struct strbuf b = STRBUF_INIT(0);

	strbuf_addstr(&b, "SELECT ");
	for (size_t i = 0; i < w->shared->mappings->len; i++) {
		const char *queue = mapping_queue(w->shared->mappings->items[i]);

		strbuf_addstr(&b, i ? ", EXISTS (SELECT 1 FROM " : "EXISTS (SELECT 1 FROM ");
		maria_add_identifier(&b, queue);
		strbuf_addstr(&b, " WHERE id > ? AND CRC32(`key`) % ? = ?),"
				  " EXISTS (SELECT 1 FROM sync_key_change WHERE queue = ");
		maria_add_literal(&b, str_from(queue));
		strbuf_addch(&b, ')');
	}
	return strbuf_take(&b);
}

/* Two flags a collection: rows for this worker in its queue, or for any when it looks out;
 * documents to move. The floor is its own: rows of others below are found by their full looks. */
static int peek(struct sync_worker *w, bool full, bool *flags, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t n = w->shared->mappings->len;
	struct maria_value *params = arena_alloc(&w->arena, 3 * (n + 1) * sizeof(*params));
	int r;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		params[3 * i] = MARIA_U(full ? 0 : sync_queue_floor(&w->queues[i]));
		params[3 * i + 1] = MARIA_U(w->looks_out ? 1 : w->shared->owners);
		params[3 * i + 2] = MARIA_U(w->looks_out ? 0 : w->owner);
	}
	r = maria_query(w->db, w->peek_sql, params, 3 * n, &rows, err);
	if (r == 0)
		r = maria_rows_next(rows, err);
	for (size_t i = 0; i < 2 * n && r > 0; i++)
		flags[i] = maria_rows_int(rows, i) != 0;
	return r < 0 ? err_context(err, "looking for changes") : 0;
}

/* Doubles with each failure in a row, half of it by chance, so that workers do not come back at
 * once. */
static int64_t pause_us(unsigned failures)
{
	int64_t us = PAUSE_MIN_US << (failures < 7 ? failures : 7);
	uint32_t chance;

	if (us > PAUSE_MAX_US)
		us = PAUSE_MAX_US;
	random_bytes(&chance, sizeof(chance));
	return us / 2 + (int64_t)(chance % (uint32_t)(us / 2));
}

/* Fewer documents help against conflicts, and against a batch that never ends in time; not against
 * a server that is away. */
static bool wants_halving(struct sync_progress *p, const struct err *err)
{
	if (err->code == ERR_LIMIT)
		return true;
	if (err->code == ERR_UNAVAILABLE || ++p->conflicts < CONFLICTS_BEFORE_HALVING)
		return false;
	p->conflicts = 0;
	return true;
}

/* After an error in one collection: what to do about it. Returns whether the round goes on. */
static bool survive(struct sync_worker *w, size_t i, struct sync_progress *p, const char *source,
		    struct err *err)
{
	struct sync_shared *s = w->shared;

	if (err->code == ERR_FENCED) {
		logger_error(LOGGER_WARN, "sync", "superseded: this process writes no more", err);
		atomic_store(&s->lost, true);
		return false;
	}
	if (wants_halving(p, err) && p->limit > 1)
		p->limit /= 2;
	sync_batch_failed(w, &s->collections[i], source, err);
	if (err->code != ERR_RETRY && err->code != ERR_LIMIT)
		logger_error(LOGGER_WARN, "sync", "a batch failed and is repeated", err);
	err_clear(err);
	p->retry_at_us = clock_monotonic_us() + pause_us(p->failures++);
	return !maria_is_lost(w->db);
}

/* A batch went well: its size may grow again. */
static void recover(const struct sync_worker *w, struct sync_progress *p)
{
	p->conflicts = 0;
	p->failures = 0;
	if (p->limit < w->shared->batch)
		p->limit = p->limit * 2 < w->shared->batch ? p->limit * 2 : w->shared->batch;
}

struct look { /* what the round knows about a collection */
	bool has_rows, has_key_changes;
};

static bool is_due(const struct sync_progress *p)
{
	return clock_monotonic_us() >= p->retry_at_us;
}

/* Key changes and queue of one collection. */
static int handle_live(struct sync_worker *w, size_t i, struct look look, bool full,
		       bool *ret_worked, struct err *err)
{
	unsigned flags =
	    (full ? SYNC_CLAIM_FULL : 0) | (look.has_key_changes ? SYNC_CLAIM_UNMOVED : 0);
	struct err moving = {0};

	if (look.has_key_changes && w->owner == 0 &&
	    sync_key_changes_step(w, i, ret_worked, &moving) < 0 && maria_is_lost(w->db)) {
		*err = moving;
		return -(int)err->code;
	}
	if (look.has_rows && handle_queue(w, i, flags, ret_worked, err) < 0)
		return -(int)err->code;
	if (moving.code)
		*err = moving;
	return -(int)moving.code;
}

static int handle_collection(struct sync_worker *w, size_t i, struct look look, bool full,
			     bool *ret_worked, struct err *err)
{
	struct sync_collection *c = &w->shared->collections[i];
	int r;

	if (atomic_load(&c->is_active) && is_due(&w->live[i])) {
		r = handle_live(w, i, look, full, ret_worked, err);
		if (r < 0 && !survive(w, i, &w->live[i], "queue", err))
			return r;
		if (r == 0)
			recover(w, &w->live[i]);
	}
	if (!atomic_load(&c->is_migrating))
		w->migrating[i] = (struct sync_progress){.limit = w->shared->batch};
	else if (atomic_load(&c->is_active) && is_due(&w->migrating[i])) {
		arena_clear(&w->arena);
		r = sync_migrate_step(w, i, ret_worked, err);
		if (r < 0 && !survive(w, i, &w->migrating[i], "migration", err))
			return r;
		if (r == 0)
			recover(w, &w->migrating[i]);
	}
	return 0;
}

/* Whether others have to look, too, or this one will be busy with something else. */
static bool ends_lookout(const struct sync_worker *w, const bool *flags)
{
	bool ends = false;

	for (size_t i = 0; i < w->shared->mappings->len; i++) {
		struct sync_collection *c = &w->shared->collections[i];

		ends |= atomic_load(&c->is_active) &&
			(flags[2 * i] || flags[2 * i + 1] || atomic_load(&c->is_migrating));
	}
	return ends;
}

/* All look for what is theirs now, and the first without work looks out again. */
static void end_lookout(struct sync_worker *w)
{
	struct sync_shared *s = w->shared;

	w->looks_out = false;
	pthread_mutex_lock(&s->mutex);
	s->has_lookout = false;
	pthread_mutex_unlock(&s->mutex);
	sync_shared_alarm(s);
}

/* Looks out when nobody does; else waits for whoever does, at most `us`. */
static void idle(struct sync_worker *w, int64_t us)
{
	struct sync_shared *s = w->shared;
	int64_t until = clock_monotonic_us() + us;
	uint64_t alarms;

	pthread_mutex_lock(&s->mutex);
	w->looks_out |= !s->has_lookout;
	s->has_lookout = true;
	alarms = s->alarms;
	if (w->looks_out)
		until = clock_monotonic_us() + POLL_IDLE_US;
	while (!atomic_load(&s->stop) && !atomic_load(&s->lost) && alarms == s->alarms) {
		if (!clock_cond_wait(&s->wake, &s->mutex, until))
			break;
	}
	pthread_mutex_unlock(&s->mutex);
}

static int round_once(struct sync_worker *w, bool full, bool *ret_worked, struct err *err)
{
	size_t n = w->shared->mappings->len;
	_cleanup_(mem_freep) bool *flags = mem_alloc_array(2 * n + 1, sizeof(*flags));
	int r = connect_stores(w, err);

	arena_clear(&w->arena);
	if (r == 0)
		r = peek(w, full, flags, err);
	if (w->looks_out && r == 0 && ends_lookout(w, flags))
		end_lookout(w);
	for (size_t i = 0;
	     i < n && r == 0 && !atomic_load(&w->shared->stop) && !atomic_load(&w->shared->lost);
	     i++)
		r = handle_collection(w, i, (struct look){flags[2 * i], flags[2 * i + 1]}, full,
				      ret_worked, err);
	return r;
}

static void set_healthy(struct sync_worker *w, bool healthy)
{
	if (healthy != w->is_healthy)
		atomic_fetch_add(&w->shared->healthy_workers, healthy ? 1 : -1);
	w->is_healthy = healthy;
}

static bool is_any_failing(const struct sync_worker *w)
{
	for (size_t i = 0; i < w->shared->mappings->len; i++) {
		if (w->live[i].failures || w->migrating[i].failures)
			return true;
	}
	return false;
}

/* One round with its look at all queues; after an error of a store, when to come back. */
static int64_t worker_round(struct sync_worker *w, bool full, bool *ret_worked)
{
	struct err err = {0};

	for (size_t i = 0; full && i < w->shared->mappings->len; i++)
		sync_queue_rotate(&w->queues[i]);
	if (round_once(w, full, ret_worked, &err) == 0) {
		w->failures = 0;
		return 0;
	}
	if (err.code && err.code != ERR_FENCED)
		logger_error(LOGGER_WARN, "sync", "a store does not answer; trying again", &err);
	if (w->db && maria_is_lost(w->db))
		w->db = maria_close(w->db);
	return pause_us(w->failures++);
}

static void worker_loop(struct sync_worker *w)
{
	int64_t next_full = 0, busy_until = 0, sleep_us = POLL_MIN_US;

	while (!atomic_load(&w->shared->stop) && !atomic_load(&w->shared->lost)) {
		int64_t now = clock_monotonic_us(), pause;
		bool full = now >= next_full, worked = false;

		if (full)
			next_full = now + FULL_LOOK_US;
		pause = worker_round(w, full, &worked);
		set_healthy(w, w->failures == 0 && !is_any_failing(w));
		if (worked) {
			sleep_us = POLL_MIN_US;
			busy_until = now + BUSY_US;
		}
		if (worked && !pause)
			continue;
		if (pause && w->looks_out)
			end_lookout(w);
		if (pause || now < busy_until)
			sync_shared_sleep(w->shared, pause ? pause : sleep_us);
		else
			idle(w, next_full - now);
		sleep_us = POLL_BUSY_US;
	}
	if (w->looks_out)
		end_lookout(w);
}

void *sync_worker_main(void *arg)
{
	struct sync_worker *w = arg;
	size_t n = w->shared->mappings->len;

	w->queues = mem_alloc_array(n, sizeof(*w->queues));
	w->live = mem_alloc_array(n, sizeof(*w->live));
	w->migrating = mem_alloc_array(n, sizeof(*w->migrating));
	for (size_t i = 0; i < n; i++) {
		sync_queue_init(&w->queues[i], w->shared->mappings->items[i], w->owner,
				w->shared->owners);
		w->live[i].limit = w->live[i].rows = w->migrating[i].limit = w->shared->batch;
	}
	w->peek_sql = make_peek_sql(w);
	worker_loop(w);
	set_healthy(w, false);
	disconnect(w);
	for (size_t i = 0; i < n; i++)
		sync_queue_done(&w->queues[i]);
	mem_free(w->queues);
	mem_free(w->live);
	mem_free(w->migrating);
	mem_free(w->peek_sql);
	mem_free(w->moving_sql);
	mem_free(w->handoff_sql);
	sync_claim_done(&w->claim);
	mapping_batch_done(&w->batch);
	arena_done(&w->arena);
	return NULL;
}
