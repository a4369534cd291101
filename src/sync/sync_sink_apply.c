/*
 * Applying a batch: makes documents what MariaDB says they are, and nothing more than that.
 *
 * For a batch the present documents are read first, outside the transaction: only this worker
 * writes the owned fields of its keys, and if it is no longer the owner, the fence refuses the
 * write. What differs is written in one transaction: the worker's fence document on condition of
 * its term, then one bulk of inserts, updates and deletes. A batch in which nothing differs writes
 * nothing.
 *
 * Owned fields are compared as bytes, value by value: a number of another type is a difference.
 * Updates set whole top-level fields and unset retired ones; fields of MongoDB's own users are
 * never named. Deletes are conditional on the mark (_sync), so that a foreign document survives
 * even when it takes the _id between the read and the write.
 */
#include "sync/sync_sink_int.h"

#include "base/banned.h"

#define CODE_DUPLICATE_KEY 11000

/* --- what to write --------------------------------------------------------------------------- */

bool sync_is_same_value(const bson_iter_t *a, const bson_iter_t *b)
{
	bson_type_t type = bson_iter_type(a);
	size_t len = a->next_off - a->d1;

	if (type != bson_iter_type(b))
		return false;
	if (type == BSON_TYPE_NULL || type == BSON_TYPE_UNDEFINED || type == BSON_TYPE_MINKEY ||
	    type == BSON_TYPE_MAXKEY)
		return true; /* no bytes */
	/* The raw bytes of a value run from its first data offset to the next element. */
	return len == b->next_off - b->d1 && memcmp(a->raw + a->d1, b->raw + b->d1, len) == 0;
}

/* Appends to `set` the owned fields of `want` that `have` lacks or holds otherwise. */
static void diff_fields(const bson_t *want, const bson_t *have, bson_t *set)
{
	bson_iter_t w, h;

	bug_if(!bson_iter_init(&w, want));
	while (bson_iter_next(&w)) {
		const char *name = bson_iter_key(&w);

		if (cstr_equal(name, "_id"))
			continue;
		if (bson_iter_init_find(&h, have, name) && sync_is_same_value(&w, &h))
			continue;
		bson_append_iter(set, name, -1, &w);
	}
}

static void append_mark(const struct sync_sink_context *c, bson_t *set, const char *time_field)
{
	bson_t mark;

	BSON_APPEND_DOCUMENT_BEGIN(set, SYNC_MARK, &mark);
	bson_append_utf8(&mark, "version", -1, mapping_hash(c->mapping), SYNC_VERSION_LEN);
	BSON_APPEND_INT64(&mark, "term", c->term);
	bson_append_date_time(&mark, time_field, -1, clock_wall_us() / 1000);
	bson_append_document_end(set, &mark);
}

void sync_sink_make_document(const struct sync_sink_context *c, const bson_t *want, bson_t *doc)
{
	const bson_t *initial = mapping_initial_fields(c->mapping);

	bson_copy_to_excluding_noinit(want, doc, SYNC_MARK, (char *)NULL);
	if (initial)
		bug_if(!bson_concat(doc, initial));
	append_mark(c, doc, "at");
}

/* {$set: owned that differ + mark, $unset: retired}; false: nothing to do. */
static bool make_update(const struct sync_sink_context *c, const bson_t *want, const bson_t *have,
			bson_t *update)
{
	bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
	bool is_needed;

	diff_fields(want, have, &set);
	for (const char *const *f = c->retired; *f; f++) {
		if (sync_has_field(have, *f) && !sync_has_field(want, *f))
			bson_append_utf8(&unset, *f, -1, "", 0);
	}
	is_needed = !bson_empty(&set) || !bson_empty(&unset) || !sync_has_field(have, SYNC_MARK) ||
		    sync_has_field(have, "_sync.left_at");
	if (is_needed) {
		append_mark(c, &set, "at");
		BSON_APPEND_DOCUMENT(update, "$set", &set);
		if (!bson_empty(&unset))
			BSON_APPEND_DOCUMENT(update, "$unset", &unset);
	}
	bson_destroy(&set);
	bson_destroy(&unset);
	return is_needed;
}

/* `on_leave: keep`: owned fields go, the mark says since when. */
static void make_leave(const struct sync_sink_context *c, bson_t *update)
{
	bson_t set = BSON_INITIALIZER, unset;

	append_mark(c, &set, "left_at");
	BSON_APPEND_DOCUMENT(update, "$set", &set);
	BSON_APPEND_DOCUMENT_BEGIN(update, "$unset", &unset);
	for (const char *const *f = mapping_owned_fields(c->mapping); *f; f++)
		bson_append_utf8(&unset, *f, -1, "", 0);
	for (const char *const *f = c->retired; *f; f++)
		bson_append_utf8(&unset, *f, -1, "", 0);
	bson_append_document_end(update, &unset);
	bson_destroy(&set);
}

enum sync_outcome sync_sink_decide(const struct sync_sink_context *c, const struct sync_write *w,
				   const bson_t *have, bson_t *update)
{
	if (w->document->state == MAPPING_PRESENT) {
		if (!have)
			return SYNC_INSERTED;
		return make_update(c, w->document->document, have, update) ? SYNC_UPDATED
									   : SYNC_UNCHANGED;
	}
	if (!have || !sync_has_field(have, SYNC_MARK))
		return SYNC_UNCHANGED; /* nothing there, or somebody else's */
	if (!mapping_keeps_on_leave(c->mapping))
		return SYNC_DELETED;
	if (sync_is_left(have))
		return SYNC_UNCHANGED;
	make_leave(c, update);
	return SYNC_DELETED;
}

static int add_operation(const struct sync_sink_context *c, struct sync_write *w,
			 const bson_t *update, struct sync_plan *p, struct err *err)
{
	bson_t doc = BSON_INITIALIZER;
	int r;

	if (!bson_empty(update)) {
		r = sync_plan_update(p, c->mapping, w->document->key, update, err);
	} else if (w->outcome == SYNC_DELETED) {
		r = sync_plan_delete(p, c->mapping, w->document->key, err);
	} else {
		sync_sink_make_document(c, w->document->document, &doc);
		r = sync_plan_insert(p, &doc, err);
	}
	bson_destroy(&doc);
	return r;
}

static void refuse(struct sync_write *w, struct arena *arena, struct err *err)
{
	w->outcome = SYNC_REFUSED;
	w->error = arena_strdup(arena, err->message);
	err_clear(err);
}

/*
 * Deletes, then updates, then inserts: an unordered bulk is then three commands, and what gives up
 * a value of a unique index comes before what takes it.
 */
static int make_plan(const struct sync_sink_context *c, struct sync_write *writes, size_t n,
		     const struct sync_found *f, struct arena *arena, struct sync_plan *p,
		     struct err *err)
{
	static const enum sync_outcome order[] = {SYNC_DELETED, SYNC_UPDATED, SYNC_INSERTED};
	bson_t **updates = mem_alloc_array(n, sizeof(*updates)); /* each aligned as its type asks */
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		updates[i] = bson_new();
		if (writes[i].outcome != SYNC_REFUSED)
			writes[i].outcome = sync_sink_decide(
			    c, &writes[i], map_get(&f->by_key, writes[i].document->key),
			    updates[i]);
	}
	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		for (size_t i = 0; i < n && r == 0; i++) {
			if (writes[i].outcome != order[k])
				continue;
			r = add_operation(c, &writes[i], updates[i], p, err);
			if (r < 0) { /* the driver cannot encode it: it names this document alone */
				refuse(&writes[i], arena, err);
				r = 0;
				continue;
			}
			p->n_updates += !bson_empty(updates[i]);
			p->index[p->n++] = i;
		}
	}
	for (size_t i = 0; i < n; i++)
		bson_destroy(updates[i]);
	mem_free(updates);
	return r;
}

/* --- writing it ------------------------------------------------------------------------------ */

static bool is_id_taken(const struct err *err)
{
	return err->native == CODE_DUPLICATE_KEY && strstr(err->message, "\"_id_\"");
}

enum { ATTEMPT_DONE, ATTEMPT_REST, ATTEMPT_LOOK_AGAIN }; /* what an attempt leaves to do */

/*
 * One attempt. On ERR_DOCUMENT the write that was refused is marked: the rest can be tried. When
 * the server does not say which one it was and there are several, the caller gets ERR_RETRY and
 * comes back with fewer.
 */
static int attempt(struct sync_sink *s, const struct sync_sink_context *c,
		   struct sync_write *writes, size_t n, const struct sync_found *f,
		   struct arena *arena, struct err *err)
{
	struct sync_plan p = {.index = arena_alloc(arena, n * sizeof(size_t))};
	int64_t refused = -1;
	int r = sync_sink_begin(s, err);

	if (r < 0)
		return r;
	p.bulk = sync_sink_new_bulk(s, c->mapping, false);
	r = make_plan(c, writes, n, f, arena, &p, err);
	if (r == 0 && p.n)
		r = sync_sink_run(s, c->term, &p, &refused, err);
	sync_sink_roll_back(s);
	mongoc_bulk_operation_destroy(p.bulk);
	if (r != -ERR_DOCUMENT)
		return r;
	if (refused < 0 && p.n == 1 && err->native != CODE_BAD_VALUE)
		refused = 0;
	if (refused < 0 || (size_t)refused >= p.n) {
		err->code = ERR_RETRY;
		return -(int)ERR_RETRY;
	}
	/* Somebody else's document took the _id since we looked, or holds it as another type (5 as
	 * int32 or double): look again, once. */
	if (is_id_taken(err) && !writes[p.index[refused]].is_taken) {
		writes[p.index[refused]].is_taken = true;
		err_clear(err);
		return ATTEMPT_LOOK_AGAIN;
	}
	refuse(&writes[p.index[refused]], arena, err);
	return ATTEMPT_REST;
}

/* What needs no look at the target. A key that no row can have, left in the queue by a former
 * mapping or by hand, has no document either. */
static bool is_decided(struct sync_write *w, const struct mapping *m, struct arena *arena)
{
	bson_t probe = BSON_INITIALIZER;
	struct err err = {0};
	bool is_id = mapping_key_append(m, w->document->key, &probe, "_id", &err) == 0;

	bson_destroy(&probe);
	if (w->document->state == MAPPING_REFUSED) {
		w->outcome = SYNC_REFUSED;
		w->error = w->document->error->message;
	} else if (!is_id && w->document->state == MAPPING_PRESENT) {
		w->outcome = SYNC_REFUSED;
		w->error = arena_strdup(arena, err.message);
	} else if (!is_id) {
		w->outcome = SYNC_UNCHANGED;
	}
	return !is_id || w->document->state == MAPPING_REFUSED;
}

static int write_open(struct sync_sink *s, const struct sync_sink_context *c,
		      struct sync_write *writes, size_t n, struct arena *arena, struct err *err)
{
	struct sync_found f = {.mapping = c->mapping, .arena = arena};
	int r = s->is_uncertain ? sync_sink_settle(s, c->term, err) : 0;

	for (int next = ATTEMPT_LOOK_AGAIN; r == 0 && next != ATTEMPT_DONE;) {
		if (next == ATTEMPT_LOOK_AGAIN) {
			map_done(&f.by_key);
			r = sync_sink_find(s, c, writes, n, true, &f, err);
		}
		if (r == 0)
			r = next = attempt(s, c, writes, n, &f, arena, err);
		if (r > 0)
			r = 0;
	}
	map_done(&f.by_key);
	return r;
}

int sync_sink_apply(struct sync_sink *s, const struct sync_sink_context *c,
		    struct sync_write *writes, size_t n, struct arena *arena, struct err *err)
{
	struct sync_write *open = arena_alloc(arena, (n + 1) * sizeof(*open));
	size_t *from = arena_alloc(arena, (n + 1) * sizeof(*from)), n_open = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_decided(&writes[i], c->mapping, arena)) {
			from[n_open] = i;
			open[n_open++] = writes[i];
		}
	}
	if (n_open)
		r = write_open(s, c, open, n_open, arena, err);
	for (size_t i = 0; i < n_open && r == 0; i++)
		writes[from[i]] = open[i];
	return r;
}
