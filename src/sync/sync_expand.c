/*
 * Expansions: the rows of a claim that name no document but a value on one of the mapping's ways.
 * The transaction that deletes such a row, or moves its cursor, inserts the documents' keys into
 * the queue.
 */
#include "sync/sync_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define EXPAND_PAGE	500
#define EXPAND_TOGETHER 256

/* All claimed rows of one (path, key) that have no page behind them yet go with the first one. */
static size_t same_expansions(const struct sync_claim *c, size_t first, uint64_t *ids,
			      bool *is_taken)
{
	const struct sync_item *a = &c->items[first];
	size_t n = 0;

	for (size_t i = first; i < c->len; i++) {
		const struct sync_item *b = &c->items[i];

		if (is_taken[i] || b->path != a->path || !str_equal(b->key, a->key) ||
		    (i != first && b->cursor.len) || (i != first && a->cursor.len))
			continue;
		is_taken[i] = true;
		ids[n++] = b->id;
	}
	return n;
}

static int expand_page(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
		       const struct sync_item *it, const uint64_t *ids, size_t n, struct err *err)
{
	struct mapping_expansion what = {it->path, it->key, it->cursor, EXPAND_PAGE};
	struct mapping_keys keys = {0};
	struct str cursor = {NULL, 0};
	int r = sync_begin_guarded(w, err);

	if (r == 0)
		r = mapping_expand(c->mapping, w->db, &what, &w->arena, &keys, &cursor, err);
	if (r == 0)
		r = sync_queue_insert(q, w->db, keys.items, keys.len, it->queued_us, err);
	/* The first row moves on; the others of its kind, committed before this read, are done. */
	if (r == 0 && cursor.len)
		r = sync_queue_move(q, w->db, ids[0], cursor, err);
	if (r == 0)
		r = sync_queue_delete(q, w->db, cursor.len ? ids + 1 : ids, cursor.len ? n - 1 : n,
				      err);
	if (r == 0 && atomic_load(&w->shared->has_dead_letters))
		r = sync_dead_letter_clear(w->db, mapping_collection(c->mapping), it->path, it->key,
					   err);
	r = sync_end(w->db, r, err);
	if (r == 0 && cursor.len)
		sync_queue_hold(q, ids[0]);
	mapping_keys_done(&keys);
	return r;
}

/* A path of a former mapping, queued while its triggers were being dropped: the re-projection
 * covers it. */
static bool is_unknown_path(const struct err *err)
{
	return err->code == ERR_NOT_FOUND && err->native == 0;
}

/* An expansion that can never succeed goes, and is set aside as a dead letter of its path. */
static int refuse_expansion(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
			    const struct sync_item *it, const uint64_t *ids, size_t n,
			    struct err *err)
{
	char *error = arena_strdup(&w->arena, err->message);
	bool is_unknown = is_unknown_path(err);
	int r;

	err_clear(err);
	r = sync_begin_guarded(w, err);
	if (r == 0 && !is_unknown)
		r = sync_dead_letter_add(w->db, mapping_collection(c->mapping), it->path, it->key,
					 error, err);
	if (r == 0)
		r = sync_queue_delete(q, w->db, ids, n, err);
	r = sync_end(w->db, r, err);
	if (r == 0 && !is_unknown)
		sync_shared_set_aside(w->shared);
	return r;
}

/* Errors that no repetition heals: the path is unknown, the key or the cursor is none of it. */
static bool is_hopeless(const struct err *err)
{
	return err->code == ERR_DOCUMENT || is_unknown_path(err) ||
	       (err->code == ERR_INVALID_ARGUMENT && err->native == 0);
}

/* Rows of a claim that are expanded together. */
struct together {
	bool *taken; /* and committed */
	bool *would; /* when the transaction is committed */
	bool *alone; /* go by themselves: more than a page, or hopeless */
	uint64_t *ids;
	size_t at;
};

static bool goes_together(const struct together *t, const struct sync_item *it, size_t i)
{
	return it->path != MAPPING_PATH_ROOT && !it->cursor.len && !t->would[i] && !t->alone[i];
}

/* Within a transaction. 1: the roots of one (path, key) are in the queue, and are added to
 * `ret_roots`; 0: they are more than a page, and nothing was done. */
static int expand_whole(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
			const struct sync_item *it, size_t *ret_roots, struct err *err)
{
	struct mapping_expansion what = {it->path, it->key, it->cursor, EXPAND_PAGE};
	struct mapping_keys keys = {0};
	struct str cursor = {NULL, 0};
	int r = mapping_expand(c->mapping, w->db, &what, &w->arena, &keys, &cursor, err);

	if (r == 0 && !cursor.len)
		r = sync_queue_insert(q, w->db, keys.items, keys.len, it->queued_us, err);
	if (r == 0 && !cursor.len && atomic_load(&w->shared->has_dead_letters))
		r = sync_dead_letter_clear(w->db, mapping_collection(c->mapping), it->path, it->key,
					   err);
	*ret_roots += keys.len;
	mapping_keys_done(&keys);
	return r < 0 ? r : !cursor.len;
}

/* Some of those that are left, with one transaction, which holds the lease: it is short. */
static int expand_some(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
		       struct together *t, size_t *ret_done, struct err *err)
{
	size_t n = 0, done = 0, looked = 0, roots = 0;
	int r = sync_begin_guarded(w, err);

	memcpy(t->would, t->taken, w->claim.len);
	for (; t->at < w->claim.len && looked < EXPAND_TOGETHER && roots < EXPAND_PAGE && r >= 0;
	     t->at++) {
		const struct sync_item *it = &w->claim.items[t->at];

		if (!goes_together(t, it, t->at))
			continue;
		looked++;
		r = expand_whole(w, c, q, it, &roots, err);
		if (r > 0) {
			n += same_expansions(&w->claim, t->at, t->ids + n, t->would);
			done++;
		} else if (r == 0 || (is_hopeless(err) && err->native == 0)) {
			(void)same_expansions(&w->claim, t->at, t->ids + n, t->alone);
			err_clear(err);
			r = 0;
		}
	}
	if (r >= 0)
		r = sync_queue_delete(q, w->db, t->ids, n, err);
	r = sync_end(w->db, r < 0 ? r : 0, err);
	if (r == 0) {
		memcpy(t->taken, t->would, w->claim.len);
		*ret_done += done;
	}
	return r;
}

/*
 * Most of a bulk concern nothing, as a new product that nobody has bought yet, and a transaction
 * for each would take longer than all the documents. What is not `is_taken` behind it, because of
 * an error or since it has many roots, goes by itself.
 */
static int expand_together(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
			   bool *is_taken, size_t *ret_done, struct err *err)
{
	size_t len = w->claim.len, n = 0;
	struct together t = {.taken = is_taken,
			     .would = arena_alloc(&w->arena, len + 1),
			     .alone = arena_alloc(&w->arena, len + 1),
			     .ids = arena_alloc(&w->arena, (len + 1) * sizeof(*t.ids))};
	int r = 0;

	for (size_t i = 0; i < len; i++)
		n += goes_together(&t, &w->claim.items[i], i);
	while (n > 1 && t.at < len && r == 0)
		r = expand_some(w, c, q, &t, ret_done, err);
	if (r < 0 && (maria_is_lost(w->db) || r == -ERR_FENCED))
		return r;
	err_clear(err);
	return 0;
}

int sync_expand_all(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
		    size_t *ret_done, struct err *err)
{
	uint64_t *ids = arena_alloc(&w->arena, (w->claim.len + 1) * sizeof(*ids));
	bool *is_taken = arena_alloc(&w->arena, w->claim.len + 1);
	struct err first = {0};

	if (expand_together(w, c, q, is_taken, ret_done, err) < 0)
		return -(int)err->code;

	for (size_t i = 0; i < w->claim.len; i++) {
		const struct sync_item *it = &w->claim.items[i];
		size_t n;
		int r;

		if (it->path == MAPPING_PATH_ROOT || is_taken[i])
			continue;
		n = same_expansions(&w->claim, i, ids, is_taken);
		r = expand_page(w, c, q, it, ids, n, err);
		if (r < 0 && is_hopeless(err))
			r = refuse_expansion(w, c, q, it, ids, n, err);
		if (r == 0) {
			++*ret_done;
			continue;
		}
		(void)err_context(err, "expanding a change of path %" PRIu32, it->path);
		if (maria_is_lost(w->db) || r == -ERR_FENCED)
			return r;
		if (!first.code) /* it must not keep the others waiting */
			first = *err;
		err_clear(err);
	}
	if (first.code)
		*err = first;
	return -(int)first.code;
}
