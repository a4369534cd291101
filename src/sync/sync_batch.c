/*
 * A batch of documents: one consistent snapshot read, one write to the sink, and what the
 * acknowledgement records. Used by live changes and by migration alike, so that both make the same
 * documents.
 */
#include "sync/sync_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/banned.h"

int sync_session_init(struct maria *db, struct err *err)
{
	int r = maria_exec(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", err);

	/* A process that is stopped inside a transaction must not keep the lease's row locked for
	 * longer than the lease lasts: the server ends its session. */
	if (r == 0)
		r = maria_exec(
		    db, "SET SESSION innodb_lock_wait_timeout = 5, idle_transaction_timeout = 5",
		    err);
	/* On Galera a read waits until this node has applied what others committed. */
	if (r == 0)
		r = maria_exec(db, "SET SESSION wsrep_sync_wait = IF(@@wsrep_on, 1, 0)", err);
	return r;
}

void sync_rollback(struct maria *db)
{
	(void)!maria_exec(db, "ROLLBACK", NULL);
}

int sync_begin_guarded(struct sync_worker *w, struct err *err)
{
	int r = maria_exec(w->db, "START TRANSACTION", err);

	return r < 0 ? r : sync_lease_guard(w->db, w->shared->holder, w->shared->term, err);
}

int sync_end(struct maria *db, int r, struct err *err)
{
	if (r == 0)
		r = maria_exec(db, "COMMIT", err);
	if (r < 0 && !maria_is_lost(db))
		sync_rollback(db);
	return r;
}

static int compare_keys(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Keys asked for at a time; the last one is repeated, so that one statement serves all numbers. */
#define MOVING_KEYS 128

static char *make_moving_sql(void)
{
	struct strbuf b = STRBUF_INIT(0);

	for (size_t side = 0; side < 2; side++) {
		strbuf_addf(&b, "%sSELECT %s FROM sync_key_change WHERE queue = ? AND %s IN (?",
			    side ? " UNION ALL " : "", side ? "new_key" : "old_key",
			    side ? "new_key" : "old_key");
		for (size_t i = 1; i < MOVING_KEYS; i++)
			strbuf_addstr(&b, ",?");
		strbuf_addch(&b, ')');
	}
	return strbuf_take(&b);
}

/* Adds those of these keys to `moving` that stand in a note. */
static int find_moving(struct sync_worker *w, const char *queue, const struct str *keys, size_t n,
		       struct map *moving, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[2 * (MOVING_KEYS + 1)];
	int r;

	for (size_t i = 0; i <= MOVING_KEYS; i++) {
		params[i] = i == 0 ? MARIA_S(queue) : MARIA_B(keys[i - 1 < n ? i - 1 : n - 1]);
		params[MOVING_KEYS + 1 + i] = params[i];
	}
	if (!w->moving_sql)
		w->moving_sql = make_moving_sql();
	r = maria_query(w->db, w->moving_sql, params, ARRAY_LEN(params), &rows, err);
	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct str key = maria_rows_str(rows, 0);

		key.data = arena_strndup(&w->arena, key.data, key.len);
		*map_put(moving, key) = w;
	}
	return r;
}

/*
 * Roots whose key changed wait until their document has moved (sync_key_changes_step): the snapshot
 * shows the change of the row and the note of it, or neither. Mostly there is no note at all.
 */
static int defer_key_changes(struct sync_worker *w, struct sync_batch *b, struct err *err)
{
	const char *queue = mapping_queue(b->collection->mapping);
	struct map moving = {0};
	int64_t has_notes = 0;
	size_t keep = 0;
	int r =
	    maria_query_int(w->db, sync_sql_key_change_exists, &MARIA_S(queue), 1, &has_notes, err);

	for (size_t i = 0; i < b->n && r == 0 && has_notes; i += MOVING_KEYS)
		r = find_moving(w, queue, b->keys + i,
				b->n - i < MOVING_KEYS ? b->n - i : MOVING_KEYS, &moving, err);
	for (size_t i = 0; moving.len && i < b->n; i++) {
		if (!map_get(&moving, b->keys[i])) {
			b->keys[keep] = b->keys[i];
			b->queued_us[keep++] = b->queued_us[i];
		}
	}
	if (moving.len)
		b->n = keep;
	map_done(&moving);
	return r;
}

/* Above this the rows of a batch are read with fewer roots. */
#define BATCH_BYTES_MAX ((size_t)64 << 20)

static int read_documents(struct sync_worker *w, struct sync_batch *b, struct err *err)
{
	int r = maria_snapshot_begin(w->db, err);

	if (r == 0)
		r = defer_key_changes(w, b, err);
	if (r == 0 && b->n)
		r = mapping_read(b->collection->mapping, w->db, b->keys, b->n, BATCH_BYTES_MAX,
				 &w->batch, err);
	if (!maria_is_lost(w->db))
		sync_rollback(w->db);
	return r;
}

static const char *const no_fields[] = {NULL};

static const char *const *retired_of(struct sync_shared *s, struct sync_collection *c)
{
	const char *const *list;

	pthread_mutex_lock(&s->mutex);
	list = c->retired;
	pthread_mutex_unlock(&s->mutex);
	return list ? list : no_fields;
}

/* A row that is too large to be read alone is set aside like one that makes no document. */
static int refuse_unreadable(struct sync_worker *w, struct sync_batch *b, struct err *err)
{
	struct mapping_document *d = arena_alloc(&w->arena, sizeof(*d));

	d->key = b->keys[0];
	d->state = MAPPING_REFUSED;
	d->error = arena_alloc(&w->arena, sizeof(*d->error));
	*d->error = *err;
	err_clear(err);
	b->unreadable = d;
	return 0;
}

uint64_t sync_batch_version(struct sync_shared *s)
{
	return (uint64_t)s->term * SYNC_VERSIONS_A_TERM + atomic_fetch_add(&s->versions, 1);
}

/* Readers of the hand-off in this process need not read them again. */
static void offer(const struct sync_worker *w, const struct sync_batch *b)
{
	const struct sync_engine_options *o = w->shared->options;

	if (o->on_read && !b->is_repeated && w->batch.len)
		o->on_read(o->on_read_arg, b->collection->mapping, w->batch.items, w->batch.len,
			   b->version);
}

static void tell_written(const struct sync_worker *w, const struct sync_batch *b)
{
	const struct sync_engine_options *o = w->shared->options;

	if (o->on_written && !b->unreadable && w->batch.len)
		o->on_written(o->on_written_arg, b->collection->mapping, w->batch.items,
			      w->batch.len);
}

int sync_batch_apply(struct sync_worker *w, struct sync_batch *b, struct err *err)
{
	struct sync_collection *c = b->collection;
	struct sync_sink_context context = {
	    .mapping = c->mapping, .retired = retired_of(w->shared, c), .term = w->shared->term};
	int r;

	mapping_batch_clear(&w->batch);
	r = mapping_has_target(c->mapping) ? read_documents(w, b, err) : 0;
	b->read_us = clock_monotonic_us();
	if (r == -ERR_LIMIT && b->n == 1 && !maria_is_lost(w->db))
		r = refuse_unreadable(w, b, err);
	if (r < 0)
		return err_context(err, "reading %s", mapping_collection(c->mapping));
	if (!b->unreadable)
		offer(w, b);
	b->writes = arena_alloc(&w->arena, (b->n + 1) * sizeof(*b->writes));
	for (size_t i = 0; i < b->n && mapping_has_target(c->mapping); i++)
		b->writes[i].document = b->unreadable ? b->unreadable : &w->batch.items[i];
	if (b->n && mapping_has_target(c->mapping))
		r = sync_sink_apply(w->sink, &context, b->writes, b->n, &w->arena, err);
	b->applied_us = clock_monotonic_us();
	if (r < 0)
		return err_context(err, "writing %s", mapping_collection(c->mapping));
	tell_written(w, b);
	b->counts = (struct sync_counts){0};
	for (size_t i = 0; i < b->n; i++) {
		uint64_t *counters[] = {&b->counts.unchanged, &b->counts.inserted,
					&b->counts.updated, &b->counts.deleted, &b->counts.failed};

		++*counters[b->writes[i].outcome];
	}
	return 0;
}

/* Keys handed off at a time; the last one is repeated, so that one statement serves all numbers. */
#define HANDOFF_KEYS 64
#define HANDOFF_FEW  4 /* as few are quicker one by one */

static char *make_handoff_sql(void)
{
	struct strbuf b = STRBUF_INIT(0);

	strbuf_addstr(&b,
		      "INSERT INTO sync_handoff (consumer, collection, `key`, version) VALUES ");
	for (size_t i = 0; i < HANDOFF_KEYS; i++)
		strbuf_addstr(&b, i ? ", (?, ?, ?, ?)" : "(?, ?, ?, ?)");
	strbuf_addstr(&b, " ON DUPLICATE KEY UPDATE version = VALUES(version)");
	return strbuf_take(&b);
}

static int hand_off_page(struct sync_worker *w, const struct sync_batch *b, const char *consumer,
			 const struct str *keys, size_t n, struct err *err)
{
	struct maria_value params[4 * HANDOFF_KEYS];

	for (size_t i = 0; i < HANDOFF_KEYS; i++) {
		params[4 * i] = MARIA_S(consumer);
		params[4 * i + 1] = MARIA_S(mapping_collection(b->collection->mapping));
		params[4 * i + 2] = MARIA_B(keys[i < n ? i : n - 1]);
		params[4 * i + 3] = MARIA_U(b->version);
	}
	if (!w->handoff_sql)
		w->handoff_sql = make_handoff_sql();
	return maria_run(w->db, w->handoff_sql, params, ARRAY_LEN(params), NULL, err);
}

static int hand_off_few(struct sync_worker *w, const struct sync_batch *b, const struct str *sorted,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		struct maria_value params[] = {MARIA_S(mapping_collection(b->collection->mapping)),
					       MARIA_B(sorted[i]), MARIA_U(b->version),
					       MARIA_I(mapping_has_target(b->collection->mapping))};

		r = maria_run(w->db, sync_sql_handoff_add, params, ARRAY_LEN(params), NULL, err);
	}
	return r;
}

static int hand_off_many(struct sync_worker *w, const struct sync_batch *b,
			 const struct str *sorted, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) const char **consumers = NULL;
	size_t n = 0, cap = 0;
	const struct maria_value has_target = MARIA_I(mapping_has_target(b->collection->mapping));
	int r = maria_query(w->db, sync_sql_consumers, &has_target, 1, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&consumers, &cap, n + 1, sizeof(*consumers));
		consumers[n++] = arena_strdup(&w->arena, maria_rows_str(rows, 0).data);
	}
	rows = maria_rows_close(rows);
	for (size_t k = 0; k < n && r == 0; k++) {
		for (size_t i = 0; i < b->n && r == 0; i += HANDOFF_KEYS)
			r = hand_off_page(w, b, consumers[k], sorted + i,
					  b->n - i < HANDOFF_KEYS ? b->n - i : HANDOFF_KEYS, err);
	}
	return r;
}

/*
 * One order of keys, so that consumers and we never deadlock. Who consumes is read in this
 * transaction: whoever registered before it commits gets the row, whoever registers later reads the
 * rows themselves.
 */
static int hand_off(struct sync_worker *w, const struct sync_batch *b, struct err *err)
{
	struct str *sorted = arena_alloc(&w->arena, (b->n + 1) * sizeof(*sorted));

	memcpy(sorted, b->keys, b->n * sizeof(*sorted));
	qsort(sorted, b->n, sizeof(*sorted), compare_keys);
	return b->n > HANDOFF_FEW ? hand_off_many(w, b, sorted, err)
				  : hand_off_few(w, b, sorted, err);
}

int sync_dead_letter_add(struct maria *db, const char *collection, uint32_t path, struct str key,
			 const char *error, struct err *err)
{
	struct maria_value params[] = {MARIA_S(collection), MARIA_U(path), MARIA_B(key),
				       MARIA_S(error)};

	return maria_run(db, sync_sql_dead_letter_add, params, ARRAY_LEN(params), NULL, err);
}

int sync_dead_letter_clear(struct maria *db, const char *collection, uint32_t path, struct str key,
			   struct err *err)
{
	struct maria_value params[] = {MARIA_S(collection), MARIA_U(path), MARIA_B(key)};

	return maria_run(db, sync_sql_dead_letter_clear, params, ARRAY_LEN(params), NULL, err);
}

int sync_batch_record(struct sync_worker *w, const struct sync_batch *b, struct err *err)
{
	const char *collection = mapping_collection(b->collection->mapping);
	bool clear = atomic_load(&w->shared->has_dead_letters);
	int r = b->n ? hand_off(w, b, err) : 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		if (b->writes[i].outcome == SYNC_REFUSED) {
			r = sync_dead_letter_add(w->db, collection, MAPPING_PATH_ROOT, b->keys[i],
						 b->writes[i].error, err);
		} else if (clear) {
			r = sync_dead_letter_clear(w->db, collection, MAPPING_PATH_ROOT, b->keys[i],
						   err);
		}
	}
	return r;
}

static void publish(struct sync_worker *w, const struct sync_batch *b, size_t i, int64_t now_us,
		    int64_t lag_us)
{
	static const char *const names[] = {
	    [SYNC_UNCHANGED] = "unchanged", [SYNC_INSERTED] = "upsert", [SYNC_UPDATED] = "upsert",
	    [SYNC_DELETED] = "delete",	    [SYNC_REFUSED] = "refused",
	};
	const struct sync_engine_options *o = w->shared->options;
	struct sync_change change = {.applied_us = now_us,
				     .collection = mapping_collection(b->collection->mapping),
				     .key = b->keys[i],
				     .operation = names[b->writes[i].outcome],
				     .lag_us = lag_us};

	if (o->on_change && b->queued_us[i] && mapping_has_target(b->collection->mapping))
		o->on_change(o->on_change_arg, &change);
}

static void observe(struct sync_collection *c, const struct sync_batch *b, size_t i, int64_t lag_us,
		    struct sync_figures *f)
{
	int64_t queued_us = b->queued_us[i], in_hand_us = b->applied_us - b->claimed_us;

	metric_observe(c->m_lag, lag_us);
	metric_observe(c->m_lag_queue, lag_us > in_hand_us ? lag_us - in_hand_us : 0);
	metric_observe(c->m_lag_read, b->read_us - b->claimed_us);
	metric_observe(c->m_lag_apply, b->applied_us - b->read_us);
	f->first_us = !f->first_us || queued_us < f->first_us ? queued_us : f->first_us;
	f->last_us = queued_us > f->last_us ? queued_us : f->last_us;
	f->max_lag_us = lag_us > f->max_lag_us ? lag_us : f->max_lag_us;
}

static void add_figures(struct sync_figures *to, const struct sync_figures *f)
{
	to->counts.inserted += f->counts.inserted;
	to->counts.updated += f->counts.updated;
	to->counts.deleted += f->counts.deleted;
	to->counts.unchanged += f->counts.unchanged;
	to->counts.failed += f->counts.failed;
	if (f->first_us && (!to->first_us || f->first_us < to->first_us))
		to->first_us = f->first_us;
	if (f->last_us > to->last_us)
		to->last_us = f->last_us;
	if (f->max_lag_us > to->max_lag_us)
		to->max_lag_us = f->max_lag_us;
}

void sync_batch_count(struct sync_worker *w, const struct sync_batch *b)
{
	struct sync_collection *c = b->collection;
	int64_t elapsed = clock_monotonic_us() - b->applied_us; /* the lag ends at the write */
	int64_t now = clock_wall_us() - elapsed;
	struct sync_figures figures = {.counts = b->counts};

	for (size_t i = 0; i < b->n; i++) {
		int64_t lag = b->queued_us[i] ? now + w->clock_offset_us - b->queued_us[i] : 0;

		if (lag < 0)
			lag = 0; /* clocks of two machines */
		publish(w, b, i, now, lag);
		metric_add(c->m_applied[b->writes[i].outcome], 1);
		if (b->queued_us[i])
			observe(c, b, i, lag, &figures);
	}
	if (b->counts.failed)
		sync_shared_set_aside(w->shared);
	pthread_mutex_lock(&w->shared->mutex);
	add_figures(&c->minute, &figures);
	pthread_mutex_unlock(&w->shared->mutex);
}

void sync_audit_write(struct maria *db, const struct sync_shared *s,
		      const struct sync_collection *c, const struct sync_audit *a)
{
	struct str version = {mapping_hash(c->mapping), SYNC_VERSION_LEN};
	const struct sync_counts *n = &a->figures.counts;
	struct maria_value params[] = {MARIA_S(mapping_collection(c->mapping)),
				       MARIA_S(a->source),
				       MARIA_S(a->outcome),
				       MARIA_U(n->inserted),
				       MARIA_U(n->updated),
				       MARIA_U(n->deleted),
				       MARIA_U(n->unchanged),
				       MARIA_U(n->failed),
				       MARIA_I(a->figures.first_us),
				       MARIA_I(a->figures.last_us),
				       MARIA_I(a->figures.max_lag_us / 1000),
				       MARIA_STR(version),
				       MARIA_I(s->term),
				       a->error ? MARIA_S(a->error) : MARIA_N};

	(void)!maria_run(db, sync_sql_audit_add, params, ARRAY_LEN(params), NULL, NULL);
}

void sync_batch_failed(struct sync_worker *w, struct sync_collection *c, const char *source,
		       const struct err *err)
{
	struct sync_audit audit = {
	    .source = source, .outcome = err_name((int)err->code), .error = err->message};

	metric_add(c->m_retries, 1);
	if (!maria_is_lost(w->db))
		sync_audit_write(w->db, w->shared, c, &audit);
}
