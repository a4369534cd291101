/*
 * Migration: every root once, by the worker that owns it, between live batches; so an old page
 * never overwrites a newer document, and no lock and no gap is needed. A page is a keyset page of
 * the root's primary key, of which each worker takes the keys that hash to it; how far it is stands
 * in sync_migration, so that a killed migration goes on where it was.
 *
 * Behind the pages a sweep looks at the marked documents of the target: those that have no row go.
 *
 * Also here: documents that move to another _id because their root's key changed.
 */
#include "sync/sync_int.h"

#include "base/logger.h"

#include "base/banned.h"

#define PAGE_KEYS 1000

struct place {
	const char *phase;
	struct str after;
	uint64_t done;
};

static int read_place(struct sync_worker *w, size_t i, unsigned generation, struct place *ret,
		      struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct sync_shared *s = w->shared;
	struct maria_value params[] = {MARIA_S(mapping_collection(s->collections[i].mapping)),
				       MARIA_U(w->owner), MARIA_U(generation), MARIA_U(s->owners)};
	struct str after;
	int r = maria_query(w->db, sync_sql_migration_read, params, ARRAY_LEN(params), &rows, err);

	if (r < 0)
		return r;
	r = maria_rows_next(rows, err);
	if (r > 0) {
		after = maria_rows_str(rows, 1);
		ret->phase = arena_strdup(&w->arena, maria_rows_str(rows, 0).data);
		ret->after = arena_str(&w->arena, after);
		return 0;
	}
	rows = maria_rows_close(rows);
	if (r < 0)
		return r;
	ret->phase = "pages";
	ret->after = (struct str){"", 0};
	return maria_run(w->db, sync_sql_migration_begin, params, ARRAY_LEN(params), NULL, err);
}

/* Records the end of a page together with what the batch records, guarded by the lease. */
static int write_place(struct sync_worker *w, size_t i, unsigned generation, const struct place *p,
		       const struct sync_batch *b, struct err *err)
{
	struct sync_shared *s = w->shared;
	const struct mapping *m = s->collections[i].mapping;
	struct maria_value params[] = {MARIA_S(p->phase),  MARIA_B(p->after),
				       MARIA_U(p->done),   MARIA_S(mapping_collection(m)),
				       MARIA_U(w->owner),  MARIA_U(generation),
				       MARIA_U(s->owners), MARIA_S(mapping_hash(m))};
	uint64_t changed = 0;
	int r = sync_begin_guarded(w, err);

	if (r == 0)
		r = maria_run(w->db, sync_sql_migration_move, params, ARRAY_LEN(params), &changed,
			      err);
	if (r == 0 && changed != 1)
		r = err_set(err, ERR_RETRY, "the migration was begun anew, or its mapping changed");
	if (r == 0 && b->n)
		r = sync_batch_record(w, b, err);
	return sync_end(w->db, r, err);
}

/* The keys of a page that this worker owns, at most `limit`; *ret_last is the last key passed. */
static void take_own(struct sync_worker *w, const struct mapping_keys *page, size_t limit,
		     struct sync_batch *b, struct str *ret_last)
{
	b->keys = arena_alloc(&w->arena, (limit + 1) * sizeof(*b->keys));
	b->queued_us = arena_alloc(&w->arena, (limit + 1) * sizeof(*b->queued_us));
	for (size_t i = 0; i < page->len; i++) {
		if (sync_owner_of(page->items[i], w->shared->owners) == w->owner) {
			if (b->n == limit)
				return;
			b->keys[b->n++] = page->items[i];
		}
		*ret_last = page->items[i];
	}
}

static struct sync_sink_context context_of(const struct sync_worker *w, size_t i)
{
	return (struct sync_sink_context){.mapping = w->shared->collections[i].mapping,
					  .term = w->shared->term};
}

/* Marked documents whose _id no row can have, left by a mapping with another key: they belong to no
 * worker, so the first one deletes them. */
static int remove_strays(struct sync_worker *w, size_t i, const struct sync_page *page,
			 struct err *err)
{
	struct sync_sink_context context = context_of(w, i);

	return page->n_strays && w->owner == 0
		   ? sync_sink_remove(w->sink, &context, &page->strays, err)
		   : 0;
}

/* The sweep begins with _id's of other types, which the order of the keys does not reach. */
static int sweep_other_types(struct sync_worker *w, size_t i, struct err *err)
{
	struct sync_page page = SYNC_PAGE_INIT;
	int r = 0;

	while (r == 0 && !page.is_last) {
		sync_page_done(&page);
		page = (struct sync_page)SYNC_PAGE_INIT;
		page.max_strays = PAGE_KEYS;
		r = sync_sink_strays(w->sink, w->shared->collections[i].mapping, PAGE_KEYS,
				     &w->arena, &page, err);
		if (r == 0)
			r = remove_strays(w, i, &page, err);
	}
	sync_page_done(&page);
	return r;
}

static int read_page(struct sync_worker *w, size_t i, const struct place *p, bool is_sweep,
		     struct sync_page *ret, struct err *err)
{
	const struct mapping *m = w->shared->collections[i].mapping;
	int r = 0;

	if (!is_sweep) {
		r = mapping_page(m, w->db, p->after, PAGE_KEYS, &w->arena, &ret->keys, err);
		ret->is_last = ret->keys.len < PAGE_KEYS;
		return r;
	}
	ret->max_strays = w->owner == 0 ? PAGE_KEYS : 0;
	if (!p->after.len && w->owner == 0)
		r = sweep_other_types(w, i, err);
	if (r == 0)
		r = sync_sink_page(w->sink, m, p->after, PAGE_KEYS, &w->arena, ret, err);
	return r < 0 ? r : remove_strays(w, i, ret, err);
}

/*
 * A key change hides a root from the page (its old key is behind us, its new one too): it is
 * deferred to the queue, where the change itself is. So deferred keys are not lost here.
 *
 * The last page moves to the next phase itself: there is no place behind the key "", and a page
 * from the start would be the first one again.
 */
static int migrate_page(struct sync_worker *w, size_t i, unsigned generation, struct place *p,
			struct err *err)
{
	struct sync_collection *c = &w->shared->collections[i];
	struct sync_batch b = {.collection = c,
			       .queue = &w->queues[i],
			       .is_repeated = w->migrating[i].failures > 0,
			       .version = sync_batch_version(w->shared),
			       .claimed_us = clock_monotonic_us()};
	bool is_sweep = cstr_equal(p->phase, "sweep");
	struct sync_page page = SYNC_PAGE_INIT;
	int r = read_page(w, i, p, is_sweep, &page, err);

	if (r < 0) {
		sync_page_done(&page);
		return r;
	}
	take_own(w, &page.keys, w->migrating[i].limit, &b, &p->after);
	if (page.is_last &&
	    (!page.keys.len || p->after.data == page.keys.items[page.keys.len - 1].data)) {
		p->phase = is_sweep || !atomic_load(&c->sweep) ? "done" : "sweep";
		p->after = (struct str){"", 0};
	}
	pthread_rwlock_rdlock(&c->moving);
	if (b.n)
		r = sync_batch_apply(w, &b, err);
	p->done = is_sweep ? 0 : b.n;
	if (r == 0)
		r = write_place(w, i, generation, p, &b, err);
	pthread_rwlock_unlock(&c->moving);
	if (r == 0)
		sync_batch_count(w, &b);
	sync_page_done(&page);
	return r < 0 ? err_context(err, "migrating %s", mapping_collection(c->mapping)) : 0;
}

/* The validator is narrowed before the collection counts as live: a crash between repeats both. The
 * lock on the collection's row keeps an installation from widening it in between. */
static int finish_locked(struct sync_worker *w, const struct mapping *m, unsigned generation,
			 uint64_t *ret_changed, struct err *err)
{
	struct maria_value params[] = {MARIA_S(mapping_collection(m)), MARIA_U(generation),
				       MARIA_S(mapping_hash(m))};
	int64_t is_current = 0;
	int r = maria_query_int(w->db, sync_sql_migration_lock, params, 3, &is_current, err);

	if (r == -ERR_NOT_FOUND && err->native == 0) { /* begun anew, or installed anew */
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = sync_target_prepare(w->mongo, m, true, err);
	return r < 0 ? r : maria_run(w->db, sync_sql_migration_finish, params, 2, ret_changed, err);
}

static int finish(struct sync_worker *w, size_t i, unsigned generation, struct err *err)
{
	struct sync_shared *s = w->shared;
	const struct mapping *m = s->collections[i].mapping;
	const char *name = mapping_collection(m);
	struct maria_value params[] = {MARIA_S(name), MARIA_U(generation), MARIA_U(s->owners)};
	int64_t done = 0;
	uint64_t changed = 0;
	int r =
	    maria_query_int(w->db, sync_sql_migration_done, params, ARRAY_LEN(params), &done, err);

	if (r < 0 || done < (int64_t)s->owners)
		return r;
	r = sync_begin_guarded(w, err);
	if (r == 0)
		r = finish_locked(w, m, generation, &changed, err);
	r = sync_end(w->db, r, err);
	if (r == 0 && changed) {
		atomic_store(&s->collections[i].is_migrating, false);
		logger_event(LOGGER_INFO, "sync", "migration finished", "collection", name, NULL);
	}
	return r;
}

int sync_migrate_step(struct sync_worker *w, size_t i, bool *ret_worked, struct err *err)
{
	struct sync_collection *c = &w->shared->collections[i];
	unsigned generation = atomic_load(&c->generation);
	struct place p = {0};
	int r = read_place(w, i, generation, &p, err);

	if (r < 0)
		return r;
	if (!mapping_has_target(c->mapping) && !cstr_equal(p.phase, "done")) {
		p.phase = "done";
		r = write_place(w, i, generation, &p, &(struct sync_batch){0}, err);
		if (r < 0)
			return r;
	}
	if (cstr_equal(p.phase, "done"))
		return finish(w, i, generation, err);
	*ret_worked = true;
	return migrate_page(w, i, generation, &p, err);
}

/* --- key changes ----------------------------------------------------------------------------- */

static int read_moves(struct sync_worker *w, const struct mapping *m, struct sync_move **ret,
		      size_t *ret_n, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) struct sync_move *moves = NULL;
	size_t n = 0, cap = 0;
	struct maria_value params[] = {MARIA_S(mapping_queue(m)), MARIA_S(mapping_hash(m))};
	int r = maria_query(w->db, sync_sql_key_changes, params, ARRAY_LEN(params), &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct str old_key = maria_rows_str(rows, 1), new_key = maria_rows_str(rows, 2);

		mem_grow(&moves, &cap, n + 1, sizeof(*moves));
		moves[n].id = maria_rows_uint(rows, 0);
		moves[n].old_key = arena_str(&w->arena, old_key);
		moves[n++].new_key = arena_str(&w->arena, new_key);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(moves);
	*ret_n = n;
	return 0;
}

/* Their notes go; with `error`, the one document is set aside under its new key. */
static int forget_moves(struct sync_worker *w, const struct mapping *m,
			const struct sync_move *moves, size_t n, const char *error, struct err *err)
{
	int r = sync_begin_guarded(w, err);

	if (r == 0 && error)
		r = sync_dead_letter_add(w->db, mapping_collection(m), MAPPING_PATH_ROOT,
					 moves->new_key, error, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = maria_run(w->db, sync_sql_key_change_done, &MARIA_U(moves[i].id), 1, NULL, err);
	r = sync_end(w->db, r, err);
	if (r == 0 && error)
		sync_shared_set_aside(w->shared);
	return r;
}

/* A refused move: the queue row of the old key would delete the document with all that its users
 * added. They keep it, as a document of their own. */
static int give_up_move(struct sync_worker *w, const struct sync_sink_context *context,
			const struct sync_move *move, struct err *err)
{
	_cleanup_(mem_freep) char *error = mem_strdup(err->message);
	int r;

	err_clear(err);
	r = sync_sink_release(w->sink, context, move->old_key, err);
	return r == 0 ? forget_moves(w, context->mapping, move, 1, error, err) : r;
}

static int move_some(struct sync_worker *w, const struct sync_sink_context *context,
		     const struct sync_move *moves, size_t n, struct err *err)
{
	const struct mapping *m = context->mapping;
	int r = mapping_has_target(m) ? sync_sink_move(w->sink, context, moves, n, err) : 0;

	if (r == 0)
		return forget_moves(w, m, moves, n, NULL, err);
	if (r != -ERR_DOCUMENT)
		return r;
	if (n == 1)
		return give_up_move(w, context, moves, err);
	err_clear(err); /* which one it was shows alone */
	r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = move_some(w, context, &moves[i], 1, err);
	return r;
}

static bool is_key(const struct mapping *m, struct str key)
{
	bson_t probe = BSON_INITIALIZER;
	bool is_one = mapping_key_append(m, key, &probe, "_id", NULL) == 0;

	bson_destroy(&probe);
	return is_one;
}

/* A note of a former mapping, whose keys were others, names no document of this one. */
static bool is_readable(const struct mapping *m, const struct sync_move *move)
{
	return is_key(m, move->old_key) && is_key(m, move->new_key);
}

/* How many of the next moves have nothing to do with each other: no chain, no swap. */
static size_t count_separate(const struct mapping *m, const struct sync_move *moves, size_t n)
{
	struct map seen = {0};
	size_t i = 0;

	while (i < n && i < SYNC_MOVES_MAX && is_readable(m, &moves[i]) &&
	       !map_get(&seen, moves[i].old_key) && !map_get(&seen, moves[i].new_key)) {
		*map_put(&seen, moves[i].old_key) = &seen;
		*map_put(&seen, moves[i].new_key) = &seen;
		i++;
	}
	map_done(&seen);
	return i;
}

/* Batches of the collection wait while documents move: not for longer than this at a time. */
#define MOVING_US 50000

/*
 * In the order of the changes, alone: batches wait. The documents are moved as the rows were; what
 * is stale in them is set right by the queue rows of both keys, which every batch has put off until
 * now. A move is idempotent: once the old document is gone there is nothing to move.
 */
int sync_key_changes_step(struct sync_worker *w, size_t i, bool *ret_worked, struct err *err)
{
	struct sync_collection *c = &w->shared->collections[i];
	struct sync_sink_context context = context_of(w, i);
	_cleanup_(mem_freep) struct sync_move *moves = NULL;
	int64_t until = clock_monotonic_us() + MOVING_US;
	size_t n = 0, now;
	int r = read_moves(w, c->mapping, &moves, &n, err);

	if (r < 0 || !n)
		return r;
	pthread_rwlock_wrlock(&c->moving);
	for (size_t k = 0; k < n && r == 0 && (k == 0 || clock_monotonic_us() < until); k += now) {
		now = count_separate(c->mapping, &moves[k], n - k);
		if (now) {
			r = move_some(w, &context, &moves[k], now, err);
		} else {
			r = forget_moves(w, c->mapping, &moves[k], 1, NULL, err);
			now = 1;
		}
		*ret_worked |= r == 0;
	}
	pthread_rwlock_unlock(&c->moving);
	return r < 0 ? err_context(err, "moving documents of %s to new keys",
				   mapping_collection(c->mapping))
		     : 0;
}
