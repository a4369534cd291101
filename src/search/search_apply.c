/*
 * Documents of a generation: see search_index.h.
 *
 * A document's number, which its corpus gave it (search_corpus.h), is the id of its vector.
 *
 * A batch has three steps, each durable before the next one begins: numbers of new documents, and
 * that nothing is known any more of those whose vectors change; their vectors; and then what the
 * vectors were made of. Without the second half of the first step, a crash behind the vectors would
 * leave a vector of one text with the hash of another.
 */
#include "search/search_index_int.h"

#include "base/clock.h"

#include "base/banned.h"

#define RETRY_MIN_US 30000000
#define RETRY_MAX_US 3600000000

/* --- documents ------------------------------------------------------------------------------- */

static int find_document(struct search_index *ix, const struct search_index_collection *c,
			 struct str key, int64_t *ret_id, struct search_known *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = search_state_prepare(&ix->state, SEARCH_S_DOCUMENT, &s, err, "ib", c->row, &key);

	*ret_id = -1;
	*ret = (struct search_known){0};
	if (r == 0)
		r = search_state_step(&ix->state, s, err);
	if (r <= 0)
		return r;
	*ret_id = sqlite3_column_int64(s, 0);
	ret->made_of = (uint64_t)sqlite3_column_int64(s, 1);
	ret->is_seen = sqlite3_column_int64(s, 2) == c->scan;
	ret->is_there = true;
	(void)sqlite3_reset(s);
	return 0;
}

static int find_aside(struct search_index *ix, const struct search_index_collection *c,
		      struct str key, int64_t *ret_attempts, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = search_state_prepare(&ix->state, SEARCH_S_ASIDE, &s, err, "ib", c->row, &key);

	*ret_attempts = 0;
	if (r == 0)
		r = search_state_step(&ix->state, s, err);
	if (r <= 0)
		return r;
	*ret_attempts = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return 0;
}

int search_index_known(struct search_index *ix, size_t collection, struct str key,
		       struct search_known *ret, struct err *err)
{
	const struct search_index_collection *c = &ix->collections[collection];
	int64_t id, attempts = 0;
	int r;

	pthread_mutex_lock(&ix->writer);
	r = find_document(ix, c, key, &id, ret, err);
	if (r == 0 && !ret->is_there)
		r = find_aside(ix, c, key, &attempts, err);
	ret->is_there |= attempts > 0;
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_look(struct search_index *ix, const char *collection, struct str key,
		      struct search_known *ret, bool *ret_is_aside, struct err *err)
{
	int64_t id, attempts = 0;
	size_t i;
	int r;

	pthread_mutex_lock(&ix->writer);
	i = search_index_find(ix, collection);
	if (i == ix->n || !ix->collections[i].vectors) {
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" has no vectors", collection);
	} else {
		r = find_document(ix, &ix->collections[i], key, &id, ret, err);
		if (r == 0)
			r = find_aside(ix, &ix->collections[i], key, &attempts, err);
	}
	pthread_mutex_unlock(&ix->writer);
	*ret_is_aside = attempts > 0;
	return r;
}

/* Whether the state has to say something of the document before its vector changes. */
static bool needs_note(const struct search_change *change, int64_t id, uint64_t made_of)
{
	if (change->action == SEARCH_PUT)
		return id < 0 || made_of != 0;
	return (change->action == SEARCH_REMOVE || change->action == SEARCH_LEAVE) && id >= 0 &&
	       made_of != 0;
}

static int note(struct search_index *ix, struct search_index_collection *c,
		const struct search_change *change, int64_t *id, struct err *err)
{
	if (*id >= 0)
		return search_state_run(&ix->state, SEARCH_S_DOCUMENT_FORGET, err, "ib", c->row,
					&change->key);
	*id = change->number;
	return search_state_run(&ix->state, SEARCH_S_DOCUMENT_ADD, err, "ibi", c->row, &change->key,
				*id);
}

/* Numbers of the documents that a batch is about; new ones are durable before a vector has one. */
static int number(struct search_index *ix, struct search_index_collection *c,
		  const struct search_change *changes, size_t n, int64_t *ids, struct err *err)
{
	bool is_open = false;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct search_known known;

		r = find_document(ix, c, changes[i].key, &ids[i], &known, err);
		if (r < 0 || !needs_note(&changes[i], ids[i], known.made_of))
			continue;
		if (!is_open)
			r = search_state_begin(&ix->state, err);
		if (r < 0)
			break;
		is_open = true;
		c->holds_deleted |= ids[i] >= 0;
		r = note(ix, c, &changes[i], &ids[i], err);
	}
	return is_open ? search_state_end(&ix->state, r, err) : r;
}

static int put_vector(struct search_index_collection *c, struct search_change *change, uint32_t id,
		      struct arena *arena, struct err *err)
{
	int r = vector_put(c->vectors, id, change->vector, err);

	if (r != -ERR_LIMIT && r != -ERR_INVALID_ARGUMENT)
		return r;
	change->action = SEARCH_ASIDE;
	change->kind = "error";
	change->reason = arena_strdup(arena, err ? err->message : err_text(r));
	err_clear(err);
	return 0;
}

static int change_vectors(struct search_index_collection *c, struct search_change *changes,
			  size_t n, const int64_t *ids, struct arena *arena, struct err *err)
{
	bool is_changed = false;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		enum search_action action = changes[i].action;

		if (action == SEARCH_PUT)
			r = put_vector(c, &changes[i], (uint32_t)ids[i], arena, err);
		else if ((action != SEARCH_REMOVE && action != SEARCH_LEAVE) || ids[i] < 0)
			continue;
		else if (vector_has(c->own, (uint32_t)ids[i]))
			r = vector_delete(c->vectors, (uint32_t)ids[i], err);
		is_changed = true; /* also by a former try, whose flush failed */
	}
	return r == 0 && is_changed ? vector_sync(c->vectors, err) : r;
}

/* 30 s, then twice as long each time, up to an hour. */
static int64_t due_after(int64_t attempts)
{
	int64_t us = RETRY_MIN_US;

	while (--attempts > 0 && us < RETRY_MAX_US)
		us *= 2;
	return clock_wall_us() + (us < RETRY_MAX_US ? us : RETRY_MAX_US);
}

static int set_aside(struct search_index *ix, struct search_index_collection *c,
		     const struct search_change *change, struct err *err)
{
	int64_t attempts = 0;
	int r = find_aside(ix, c, change->key, &attempts, err);

	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_ASIDE_SET, err, "ibttii", c->row,
				     &change->key, change->kind, change->reason, attempts + 1,
				     due_after(attempts + 1));
	return r;
}

static int record(struct search_index *ix, struct search_index_collection *c,
		  const struct search_change *change, int64_t id, struct err *err)
{
	bool has_vector = id >= 0 && vector_has(c->own, (uint32_t)id);
	bool is_kept = change->action == SEARCH_ASIDE || change->action == SEARCH_LEAVE;
	int r = is_kept ? set_aside(ix, c, change, err)
			: search_state_run(&ix->state, SEARCH_S_ASIDE_DROP, err, "ib", c->row,
					   &change->key);

	if (r < 0 || id < 0)
		return r;
	if (change->action == SEARCH_PUT) {
		_cleanup_(mem_freep) char *title =
		    mem_strndup(change->title.len ? change->title.data : "", change->title.len);

		return search_state_run(&ix->state, SEARCH_S_DOCUMENT_DONE, err, "ibiit", c->row,
					&change->key, c->scan, (int64_t)change->made_of, title);
	}
	if (has_vector)
		return search_state_run(&ix->state, SEARCH_S_DOCUMENT_SEEN, err, "ibi", c->row,
					&change->key, c->scan);
	return search_state_run(&ix->state, SEARCH_S_DOCUMENT_DROP, err, "ib", c->row,
				&change->key);
}

static int apply(struct search_index *ix, struct search_index_collection *c,
		 struct search_change *changes, size_t n, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	int64_t *ids = arena_alloc(&arena, (n + 1) * sizeof(*ids));
	int r = number(ix, c, changes, n, ids, err);

	if (r == 0)
		r = change_vectors(c, changes, n, ids, &arena, err);
	if (r == 0)
		r = search_state_begin(&ix->state, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = record(ix, c, &changes[i], ids[i], err);
	return search_state_end(&ix->state, r, err);
}

int search_index_apply(struct search_index *ix, size_t collection, struct search_change *changes,
		       size_t n, struct err *err)
{
	int r = 0;

	if (!n)
		return 0;
	pthread_mutex_lock(&ix->writer);
	r = apply(ix, &ix->collections[collection], changes, n, err);
	pthread_mutex_unlock(&ix->writer);
	return r < 0 ? err_context(err, "indexing") : 0;
}

int search_index_take_keys(struct search_index *ix, sqlite3_stmt *s, struct search_keys *ret,
			   struct err *err)
{
	int r = 0;

	while (ret->n < ret->limit && (r = search_state_step(&ix->state, s, err)) > 0) {
		struct str key = search_state_blob(s, 0);

		ret->items[ret->n++] = arena_str(ret->arena, key);
	}
	(void)sqlite3_reset(s);
	return r < 0 ? r : 0;
}

int search_index_due(struct search_index *ix, size_t collection, int64_t now_us,
		     struct search_keys *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r;

	ret->n = 0;
	pthread_mutex_lock(&ix->writer);
	r = search_state_prepare(&ix->state, SEARCH_S_ASIDE_DUE, &s, err, "iiii",
				 ix->collections[collection].row, now_us, (int64_t)ret->limit,
				 (int64_t)RETRY_MAX_US);
	if (r == 0)
		r = search_index_take_keys(ix, s, ret, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_reasons(struct search_index *ix, size_t collection, size_t limit,
			 search_reason_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r;

	pthread_mutex_lock(&ix->writer);
	r = search_state_prepare(&ix->state, SEARCH_S_ASIDE_REASONS, &s, err, "ii",
				 ix->collections[collection].row, (int64_t)limit);
	while (r >= 0 && (r = search_state_step(&ix->state, s, err)) > 0)
		fn(arg, (const char *)sqlite3_column_text(s, 0),
		   (const char *)sqlite3_column_text(s, 1), sqlite3_column_int64(s, 2));
	pthread_mutex_unlock(&ix->writer);
	return r;
}
