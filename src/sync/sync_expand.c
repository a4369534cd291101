/*
 * Expansions: the rows of a claim that name no document but a value on one of the mapping's ways.
 * The transaction that deletes such a row, or moves its cursor, inserts the documents' keys into
 * the queue.
 *
 * Rows of one (path, key) are one expansion. Those of one path are asked for by one query, up to
 * MAPPING_EXPAND_MANY of them, and up to EXPAND_TOGETHER share a transaction, which queues each
 * document once. With the oldest time of them: which of the rows led to it is not known, and a lag
 * that is told too long by what the claim spans is better than one too short. What has more than a
 * page of documents, and what fails, goes by itself.
 */
#include "sync/sync_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/banned.h"

#define EXPAND_PAGE	500
#define EXPAND_TOGETHER 256

/* All claimed rows of one (path, key) that have no page behind them yet; or one that has. */
struct expansion {
	const struct sync_item *item; /* the first of its rows */
	const uint64_t *ids;	      /* of all */
	size_t n;
	int64_t queued_us; /* the oldest */
	bool is_alone;	   /* goes by itself: more than a page, or hopeless */
	bool is_done;	   /* and committed */
};

struct expander {
	struct sync_worker *w;
	struct sync_collection *c;
	struct sync_queue *q;
	size_t len;
	struct expansion *items; /* those of one path stand together */
	/* those that go together: */
	size_t at; /* the next */
	uint32_t path;
	size_t width;		   /* of this path, by one query */
	struct mapping_keys found; /* by the last query */
	struct mapping_keys roots; /* of the transaction, each once */
	struct map seen;	   /* the same */
	size_t n_found;		   /* of the transaction, by all queries */
};

/* --- rows of the claim ----------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b)
{
	const struct sync_item *x = *(const struct sync_item *const *)a;
	const struct sync_item *y = *(const struct sync_item *const *)b;
	int r;

	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	if (!x->cursor.len != !y->cursor.len)
		return x->cursor.len ? 1 : -1;
	r = str_compare(x->key, y->key);
	if (r)
		return r;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool goes_with(const struct sync_item *a, const struct sync_item *b)
{
	return a->path == b->path && !a->cursor.len && !b->cursor.len && str_equal(a->key, b->key);
}

static void gather(struct expander *x)
{
	const struct sync_claim *claim = &x->w->claim;
	struct arena *arena = &x->w->arena;
	const struct sync_item **rows = arena_alloc(arena, (claim->len + 1) * sizeof(*rows));
	uint64_t *ids = arena_alloc(arena, (claim->len + 1) * sizeof(*ids));
	size_t n = 0;

	x->items = arena_alloc(arena, (claim->len + 1) * sizeof(*x->items));
	for (size_t i = 0; i < claim->len; i++) {
		if (claim->items[i].path != MAPPING_PATH_ROOT)
			rows[n++] = &claim->items[i];
	}
	qsort(rows, n, sizeof(*rows), compare_items);
	for (size_t i = 0; i < n; i++) {
		struct expansion *e;

		if (i == 0 || !goes_with(rows[i - 1], rows[i]))
			x->items[x->len++] =
			    (struct expansion){.item = rows[i],
					       .ids = &ids[i],
					       .queued_us = rows[i]->queued_us,
					       .is_alone = rows[i]->cursor.len > 0};
		e = &x->items[x->len - 1];
		ids[i] = rows[i]->id;
		e->n++;
		if (rows[i]->queued_us < e->queued_us)
			e->queued_us = rows[i]->queued_us;
	}
}

/* --- one by itself --------------------------------------------------------------------------- */

static int clear_dead_letter(const struct expander *x, const struct expansion *e, struct err *err)
{
	if (!atomic_load(&x->w->shared->has_dead_letters))
		return 0;
	return sync_dead_letter_clear(x->w->db, mapping_collection(x->c->mapping), e->item->path,
				      e->item->key, err);
}

static int expand_page(struct expander *x, const struct expansion *e, struct err *err)
{
	struct mapping_expansion what = {e->item->path, e->item->key, e->item->cursor, EXPAND_PAGE};
	struct maria *db = x->w->db;
	struct str cursor = {NULL, 0};
	int r = sync_begin_guarded(x->w, err);

	if (r == 0)
		r = mapping_expand(x->c->mapping, db, &what, &x->w->arena, &x->found, &cursor, err);
	if (r == 0)
		r = sync_queue_insert(x->q, db, x->found.items, x->found.len, e->queued_us, err);
	/* The first row moves on; the others of its kind, committed before this read, are done. */
	if (r == 0 && cursor.len)
		r = sync_queue_move(x->q, db, e->ids[0], cursor, err);
	if (r == 0)
		r = sync_queue_delete(x->q, db, e->ids + (cursor.len > 0), e->n - (cursor.len > 0),
				      err);
	if (r == 0)
		r = clear_dead_letter(x, e, err);
	r = sync_end(db, r, err);
	if (r == 0 && cursor.len)
		sync_queue_hold(x->q, e->ids[0]);
	return r;
}

/* A path of a former mapping, queued while its triggers were being dropped: the re-projection
 * covers it. */
static bool is_unknown_path(const struct err *err)
{
	return err->code == ERR_NOT_FOUND && err->native == 0;
}

/* Errors that no repetition heals: the path is unknown, the key or the cursor is none of it. */
static bool is_hopeless(const struct err *err)
{
	return err->code == ERR_DOCUMENT || is_unknown_path(err) ||
	       (err->code == ERR_INVALID_ARGUMENT && err->native == 0);
}

/* An expansion that can never succeed goes, and is set aside as a dead letter of its path. */
static int refuse(struct expander *x, const struct expansion *e, struct err *err)
{
	struct sync_worker *w = x->w;
	char *error = arena_strdup(&w->arena, err->message);
	bool is_unknown = is_unknown_path(err);
	int r;

	err_clear(err);
	r = sync_begin_guarded(w, err);
	if (r == 0 && !is_unknown)
		r = sync_dead_letter_add(w->db, mapping_collection(x->c->mapping), e->item->path,
					 e->item->key, error, err);
	if (r == 0)
		r = sync_queue_delete(x->q, w->db, e->ids, e->n, err);
	r = sync_end(w->db, r, err);
	if (r == 0 && !is_unknown)
		sync_shared_set_aside(w->shared);
	return r;
}

static int expand_alone(struct expander *x, const struct expansion *e, struct err *err)
{
	int r = expand_page(x, e, err);

	if (r < 0 && is_hopeless(err))
		r = refuse(x, e, err);
	if (r < 0)
		return err_context(err, "expanding a change of path %" PRIu32, e->item->path);
	return 0;
}

/* --- together -------------------------------------------------------------------------------- */

/* Many orders of one customer are one customer. */
static void add_roots(struct expander *x)
{
	struct mapping_keys *roots = &x->roots;

	x->n_found += x->found.len;
	for (size_t i = 0; i < x->found.len; i++) {
		void **slot = map_put(&x->seen, x->found.items[i]);

		if (*slot)
			continue;
		*slot = x;
		mem_grow(&roots->items, &roots->cap, roots->len + 1, sizeof(*roots->items));
		roots->items[roots->len++] = x->found.items[i];
	}
}

/* 1: the roots of the next `n` are known. 0: they have to be asked for in smaller numbers, down to
 * one, as there are too many or one of the values is refused. */
static int expand_many(struct expander *x, size_t n, struct err *err)
{
	struct str keys[MAPPING_EXPAND_MANY];
	struct mapping_expansions what = {x->items[x->at].item->path, n, keys, EXPAND_PAGE};
	int r;

	for (size_t i = 0; i < n; i++)
		keys[i] = x->items[x->at + i].item->key;
	r = mapping_expand_many(x->c->mapping, x->w->db, &what, &x->w->arena, &x->found, err);
	if (r < 0 && (is_hopeless(err) || err->code == ERR_INVALID_ARGUMENT)) {
		err_clear(err);
		r = 0;
	}
	if (r > 0)
		add_roots(x);
	return r;
}

static int expand_one(struct expander *x, struct err *err)
{
	struct expansion *e = &x->items[x->at];
	struct mapping_expansion what = {e->item->path, e->item->key, e->item->cursor, EXPAND_PAGE};
	struct str cursor = {NULL, 0};
	int r =
	    mapping_expand(x->c->mapping, x->w->db, &what, &x->w->arena, &x->found, &cursor, err);

	if (r < 0 && (!is_hopeless(err) || err->native))
		return r;
	e->is_alone = r < 0 || cursor.len;
	x->n_found += e->is_alone ? x->found.len : 0;
	if (!e->is_alone)
		add_roots(x);
	err_clear(err);
	return 0;
}

/* How many from the next one on go by one query: those of its path, at most `max`. */
static size_t count_next(const struct expander *x, size_t max)
{
	const struct expansion *e = &x->items[x->at];
	size_t n = 1;

	while (n < max && n < x->width && x->at + n < x->len && !e[n].is_alone &&
	       e[n].item->path == e->item->path)
		n++;
	return n;
}

/* One query, for at most `max`. Where many are too many, the rest of the path goes in smaller
 * numbers: its other values are likely to have as many documents. */
static int expand_next(struct expander *x, size_t max, struct err *err)
{
	const struct expansion *e = &x->items[x->at];
	size_t n;
	int r;

	if (e->item->path != x->path) {
		x->path = e->item->path;
		x->width = MAPPING_EXPAND_MANY;
	}
	n = count_next(x, max);
	if (n == 1) {
		r = e->is_alone ? 0 : expand_one(x, err);
		x->at++;
		return r;
	}
	r = expand_many(x, n, err);
	if (r > 0)
		x->at += n;
	else
		x->width = n / 4 ? n / 4 : 1;
	return r < 0 ? r : 0;
}

/* What the transaction does about those from `from` to the next one. Counts them. */
static int record(struct expander *x, size_t from, size_t *ret, struct err *err)
{
	uint64_t *ids = arena_alloc(&x->w->arena, (x->w->claim.len + 1) * sizeof(*ids));
	int64_t oldest_us = INT64_MAX;
	size_t n = 0, n_ids = 0;
	int r = 0;

	for (size_t i = from; i < x->at && r == 0; i++) {
		const struct expansion *e = &x->items[i];

		if (e->is_alone)
			continue;
		if (e->queued_us < oldest_us)
			oldest_us = e->queued_us;
		memcpy(ids + n_ids, e->ids, e->n * sizeof(*ids));
		n_ids += e->n;
		n++;
		r = clear_dead_letter(x, e, err);
	}
	if (r == 0)
		r = sync_queue_insert(x->q, x->w->db, x->roots.items, x->roots.len, oldest_us, err);
	if (r == 0)
		r = sync_queue_delete(x->q, x->w->db, ids, n_ids, err);
	*ret = n;
	return r;
}

/* Some of those that are left, with one transaction, which holds the lease: it is short. */
static int expand_some(struct expander *x, size_t *ret_done, struct err *err)
{
	size_t from = x->at, end = from + EXPAND_TOGETHER, n = 0;
	int r = sync_begin_guarded(x->w, err);

	x->roots.len = x->n_found = 0;
	map_done(&x->seen);
	while (r == 0 && x->at < x->len && x->at < end && x->n_found < EXPAND_PAGE)
		r = expand_next(x, end - x->at, err);
	if (r == 0)
		r = record(x, from, &n, err);
	r = sync_end(x->w->db, r, err);
	for (size_t i = from; i < x->at && r == 0; i++)
		x->items[i].is_done = !x->items[i].is_alone;
	if (r == 0)
		*ret_done += n;
	return r;
}

/*
 * Most of a bulk concern nothing, as a new product that nobody has bought yet, and a transaction
 * for each would take longer than all the documents. What is not done behind it, because of an
 * error or since it has many roots, goes by itself.
 */
static int expand_together(struct expander *x, size_t *ret_done, struct err *err)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < x->len; i++)
		n += !x->items[i].is_alone;
	while (n > 1 && x->at < x->len && r == 0)
		r = expand_some(x, ret_done, err);
	if (r < 0 && (maria_is_lost(x->w->db) || r == -ERR_FENCED))
		return r;
	err_clear(err);
	return 0;
}

static int expand_rest(struct expander *x, size_t *ret_done, struct err *err)
{
	struct err first = {0};

	for (size_t i = 0; i < x->len; i++) {
		int r;

		if (x->items[i].is_done)
			continue;
		r = expand_alone(x, &x->items[i], err);
		if (r == 0) {
			++*ret_done;
			continue;
		}
		if (maria_is_lost(x->w->db) || r == -ERR_FENCED)
			return r;
		if (!first.code) /* it must not keep the others waiting */
			first = *err;
		err_clear(err);
	}
	if (first.code)
		*err = first;
	return -(int)first.code;
}

int sync_expand_all(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
		    size_t *ret_done, struct err *err)
{
	struct expander x = {.w = w, .c = c, .q = q};
	int r;

	gather(&x);
	r = expand_together(&x, ret_done, err);
	if (r == 0)
		r = expand_rest(&x, ret_done, err);
	mapping_keys_done(&x.found);
	mapping_keys_done(&x.roots);
	map_done(&x.seen);
	return r;
}
