/*
 * MongoDB as the sink: makes documents what MariaDB says they are, and nothing more than that.
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
#include "sync/sync_int.h"

#include <inttypes.h>

#include "base/banned.h"

struct sync_sink {
	struct mongo *mongo;
	mongoc_client_t *client;
	mongoc_client_session_t *session;
	mongoc_transaction_opt_t *options;
	mongoc_collection_t *fences;
	mongoc_collection_t *collection; /* of the last mapping used */
	const struct mapping *mapping;
	unsigned fence;
	bool is_uncertain; /* the last commit failed, and may yet become visible */
};

int sync_sink_new(struct mongo *mongo, unsigned fence, struct sync_sink **ret, struct err *err)
{
	struct sync_sink *s = MEM_NEW(struct sync_sink);
	mongoc_write_concern_t *wc;
	mongoc_read_concern_t *rc;
	bson_error_t e;

	bug_if(fence >= SYNC_FENCES);
	s->mongo = mongo;
	s->fence = fence;
	s->client = mongo_pop(mongo);
	s->fences =
	    mongoc_client_get_collection(s->client, mongo_database(mongo), SYNC_FENCE_COLLECTION);
	s->options = mongoc_transaction_opts_new();
	wc = mongoc_write_concern_new();
	mongoc_write_concern_set_w(wc, MONGOC_WRITE_CONCERN_W_MAJORITY);
	mongoc_write_concern_set_journal(wc, true);
	mongoc_transaction_opts_set_write_concern(s->options, wc);
	mongoc_write_concern_destroy(wc);
	rc = mongoc_read_concern_new();
	mongoc_read_concern_set_level(rc, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
	mongoc_transaction_opts_set_read_concern(s->options, rc);
	mongoc_read_concern_destroy(rc);
	s->session = mongoc_client_start_session(s->client, NULL, &e);
	if (!s->session) {
		int r = mongo_error(err, &e, NULL, "starting a session");

		sync_sink_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct sync_sink *sync_sink_free(struct sync_sink *s)
{
	if (!s)
		return NULL;
	if (s->session)
		mongoc_client_session_destroy(s->session);
	if (s->collection)
		mongoc_collection_destroy(s->collection);
	mongoc_transaction_opts_destroy(s->options);
	mongoc_collection_destroy(s->fences);
	mongo_push(s->mongo, s->client);
	mem_free(s);
	return NULL;
}

static mongoc_collection_t *collection_of(struct sync_sink *s, const struct mapping *m)
{
	if (s->mapping != m) {
		if (s->collection)
			mongoc_collection_destroy(s->collection);
		s->collection = mongoc_client_get_collection(s->client, mongo_database(s->mongo),
							     mapping_collection(m));
		s->mapping = m;
	}
	return s->collection;
}

/* --- reading what is there ------------------------------------------------------------------- */

static int each_found(mongoc_collection_t *c, const bson_t *filter, const bson_t *opts,
		      int (*fn)(void *, const bson_t *, struct err *), void *arg, struct err *err)
{
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, opts, NULL);
	const bson_t *doc, *reply = NULL;
	bson_error_t e;
	int r = 0;

	while (r == 0 && mongoc_cursor_next(cursor, &doc))
		r = fn(arg, doc, err);
	if (r == 0 && mongoc_cursor_error_document(cursor, &e, &reply))
		r = mongo_error(err, &e, reply, "reading documents");
	mongoc_cursor_destroy(cursor);
	return r;
}

struct found {
	const struct mapping *mapping;
	struct arena *arena;
	struct map by_key; /* key -> const bson_t in the arena */
};

static int add_found(void *arg, const bson_t *doc, struct err *err)
{
	struct found *f = arg;
	bson_iter_t id;
	struct str key;

	(void)err;
	/* Else it is of no row, though it equals an _id that we asked for: 1.0 and 1. */
	if (bson_iter_init_find(&id, doc, "_id") &&
	    mapping_key_of_id(f->mapping, &id, f->arena, &key, NULL) == 0)
		*map_put(&f->by_key, key) = mongo_copy_document(doc, f->arena);
	return 0;
}

static int append_ids(const struct sync_write *writes, size_t n, const struct mapping *m,
		      bson_t *filter, struct err *err)
{
	bson_t in, ids;
	char buf[16];
	const char *index;
	int r = 0;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
	for (size_t i = 0; i < n && r == 0; i++) {
		(void)bson_uint32_to_string((uint32_t)i, &index, buf, sizeof(buf));
		r = mapping_key_append(m, writes[i].document->key, &ids, index, err);
	}
	bson_append_array_end(&in, &ids);
	bson_append_document_end(filter, &in);
	return r;
}

/* Only what is compared: users may have put megabytes beside it. */
static void append_projection(const struct sync_sink_context *c, bson_t *opts)
{
	bson_t fields;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &fields);
	for (const char *const *f = mapping_owned_fields(c->mapping); *f; f++)
		BSON_APPEND_INT32(&fields, *f, 1);
	for (const char *const *f = c->retired; *f; f++)
		BSON_APPEND_INT32(&fields, *f, 1);
	BSON_APPEND_INT32(&fields, SYNC_MARK, 1);
	bson_append_document_end(opts, &fields);
}

static int find_present(struct sync_sink *s, const struct sync_sink_context *c,
			const struct sync_write *writes, size_t n, bool only_owned, struct found *f,
			struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	int r = append_ids(writes, n, c->mapping, &filter, err);

	if (only_owned)
		append_projection(c, &opts);
	if (r == 0 && mongoc_client_session_in_transaction(s->session))
		bug_if(!mongoc_client_session_append(s->session, &opts, NULL));
	if (r == 0)
		r = each_found(collection_of(s, c->mapping), &filter, &opts, add_found, f, err);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

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

static bool has_field(const bson_t *doc, const char *name)
{
	return doc && bson_has_field(doc, name);
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
		if (has_field(have, *f) && !has_field(want, *f))
			bson_append_utf8(&unset, *f, -1, "", 0);
	}
	is_needed = !bson_empty(&set) || !bson_empty(&unset) || !has_field(have, SYNC_MARK) ||
		    has_field(have, "_sync.left_at");
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

static bool is_left(const bson_t *have)
{
	bson_iter_t it, left;

	return bson_iter_init(&it, have) && bson_iter_find_descendant(&it, "_sync.left_at", &left);
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

struct plan {
	mongoc_bulk_operation_t *bulk;
	size_t *index; /* of each operation: its write */
	size_t n, n_updates;
};

static int add_insert(struct plan *p, const bson_t *doc, struct err *err)
{
	bson_error_t e;

	bson_t opts = BSON_INITIALIZER;
	int r = 0;

	BSON_APPEND_BOOL(&opts, "validate",
			 false); /* what a field may be called is the server's matter */
	if (!mongoc_bulk_operation_insert_with_opts(p->bulk, doc, &opts, &e))
		r = mongo_error(err, &e, NULL, "an insert");
	bson_destroy(&opts);
	return r;
}

static int add_update(struct plan *p, const struct mapping *m, struct str key, const bson_t *update,
		      struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	bson_error_t e;
	int r = mapping_key_append(m, key, &filter, "_id", err);

	BSON_APPEND_BOOL(&opts, "validate", false);
	if (r == 0 &&
	    !mongoc_bulk_operation_update_one_with_opts(p->bulk, &filter, update, &opts, &e))
		r = mongo_error(err, &e, NULL, "an update");
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

/* Only documents that the sync made are ever touched without being compared. */
static void append_marked(bson_t *filter)
{
	bson_t exists;

	BSON_APPEND_DOCUMENT_BEGIN(filter, SYNC_MARK, &exists);
	BSON_APPEND_BOOL(&exists, "$exists", true);
	bson_append_document_end(filter, &exists);
}

static int add_delete(struct plan *p, const struct mapping *m, struct str key, struct err *err)
{
	bson_t filter = BSON_INITIALIZER;
	bson_error_t e;
	int r = mapping_key_append(m, key, &filter, "_id", err);

	append_marked(&filter);
	if (r == 0 && !mongoc_bulk_operation_remove_one_with_opts(p->bulk, &filter, NULL, &e))
		r = mongo_error(err, &e, NULL, "a delete");
	bson_destroy(&filter);
	return r;
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
	if (!have || !has_field(have, SYNC_MARK))
		return SYNC_UNCHANGED; /* nothing there, or somebody else's */
	if (!mapping_keeps_on_leave(c->mapping))
		return SYNC_DELETED;
	if (is_left(have))
		return SYNC_UNCHANGED;
	make_leave(c, update);
	return SYNC_DELETED;
}

static int add_operation(const struct sync_sink_context *c, struct sync_write *w,
			 const bson_t *update, struct plan *p, struct err *err)
{
	bson_t doc = BSON_INITIALIZER;
	int r;

	if (!bson_empty(update)) {
		r = add_update(p, c->mapping, w->document->key, update, err);
	} else if (w->outcome == SYNC_DELETED) {
		r = add_delete(p, c->mapping, w->document->key, err);
	} else {
		sync_sink_make_document(c, w->document->document, &doc);
		r = add_insert(p, &doc, err);
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
		     const struct found *f, struct arena *arena, struct plan *p, struct err *err)
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

static int write_fence(struct sync_sink *s, int64_t term, struct err *err)
{
	bson_t opts = BSON_INITIALIZER, reply;
	bson_t *filter = BCON_NEW("_id", BCON_INT32((int32_t)s->fence), "term", BCON_INT64(term));
	bson_t *update = BCON_NEW("$inc", "{", "writes", BCON_INT64(1), "}");
	bson_error_t e;
	bson_iter_t it;
	int r = 0;

	if (!mongoc_client_session_append(s->session, &opts, &e)) {
		r = mongo_error(err, &e, NULL, "the session");
	} else {
		if (!mongoc_collection_update_one(s->fences, filter, update, &opts, &reply, &e))
			r = mongo_error(err, &e, &reply, "writing the fence");
		else if (!bson_iter_init_find(&it, &reply, "matchedCount") ||
			 bson_iter_as_int64(&it) != 1)
			r = err_set(err, ERR_FENCED,
				    "MongoDB's fence %u no longer holds the term %" PRId64,
				    s->fence, term);
		bson_destroy(&reply);
	}
	bson_destroy(filter);
	bson_destroy(update);
	bson_destroy(&opts);
	return r;
}

/* A commit whose outcome is unknown is repeated: it is idempotent. */
#define COMMIT_ATTEMPTS 3

static int commit(struct sync_sink *s, struct err *err)
{
	for (int attempt = 1;; attempt++) {
		bson_t reply;
		bson_error_t e;
		bool ok = mongoc_client_session_commit_transaction(s->session, &reply, &e);
		bool again = !ok && attempt < COMMIT_ATTEMPTS &&
			     mongoc_error_has_label(&reply, "UnknownTransactionCommitResult");
		int r = ok || again ? 0 : mongo_error(err, &e, &reply, "committing");

		s->is_uncertain = !ok;
		bson_destroy(&reply);
		if (!again)
			return r;
	}
}

static int begin(struct sync_sink *s, struct err *err)
{
	bson_error_t e;

	if (!mongoc_client_session_start_transaction(s->session, s->options, &e))
		return mongo_error(err, &e, NULL, "starting a transaction");
	return 0;
}

static void roll_back(struct sync_sink *s)
{
	bson_error_t e;

	if (mongoc_client_session_in_transaction(s->session))
		(void)mongoc_client_session_abort_transaction(s->session, &e);
}

/*
 * Behind a commit whose outcome is not known: a transaction that writes the same fence is ordered
 * behind it, or fails. Only then is what is read there what will stay there.
 */
static int settle(struct sync_sink *s, int64_t term, struct err *err)
{
	int r = begin(s, err);

	if (r == 0)
		r = write_fence(s, term, err);
	if (r == 0)
		r = commit(s, err);
	roll_back(s);
	return r;
}

static size_t number_of(const bson_t *reply, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, reply, field) ? (size_t)bson_iter_as_int64(&it) : 0;
}

/* The bulk, with the index of the operation that the server refused in *ret_refused (or -1). */
static int run_bulk(struct plan *p, int64_t *ret_refused, struct err *err)
{
	bson_t reply;
	bson_error_t e;
	int r = 0;

	*ret_refused = -1;
	if (!mongoc_bulk_operation_execute(p->bulk, &reply, &e)) {
		r = mongo_error(err, &e, &reply, "writing documents");
		/* Codes that are in no list, but name an operation: indexes refuse in many ways. */
		if (r == -ERR_INVALID_ARGUMENT && mongo_write_error_index(&reply) >= 0) {
			err->code = ERR_DOCUMENT;
			r = -ERR_DOCUMENT;
		}
		if (r == -ERR_DOCUMENT)
			*ret_refused = mongo_write_error_index(&reply);
	} else if (number_of(&reply, "nMatched") < p->n_updates) {
		r = err_set(err, ERR_RETRY, "a document went away while it was compared");
	}
	bson_destroy(&reply);
	return r;
}

static mongoc_bulk_operation_t *new_bulk(struct sync_sink *s, const struct mapping *m, bool ordered)
{
	bson_t opts = BSON_INITIALIZER;
	mongoc_bulk_operation_t *bulk;
	bson_error_t e;

	BSON_APPEND_BOOL(&opts, "ordered", ordered);
	bug_if(!mongoc_client_session_append(s->session, &opts, &e));
	bulk = mongoc_collection_create_bulk_operation_with_opts(collection_of(s, m), &opts);
	bson_destroy(&opts);
	return bulk;
}

#define CODE_BAD_VALUE	   2 /* also of a command that is not understood: names no document */
#define CODE_DUPLICATE_KEY 11000

static bool is_id_taken(const struct err *err)
{
	return err->native == CODE_DUPLICATE_KEY && strstr(err->message, "\"_id_\"");
}

/* The fence and the operations, as one transaction that was begun. */
static int run_plan(struct sync_sink *s, int64_t term, struct plan *p, int64_t *ret_refused,
		    struct err *err)
{
	int r = write_fence(s, term, err);

	if (r == 0)
		r = run_bulk(p, ret_refused, err);
	return r == 0 ? commit(s, err) : r;
}

enum { ATTEMPT_DONE, ATTEMPT_REST, ATTEMPT_LOOK_AGAIN }; /* what an attempt leaves to do */

/*
 * One attempt. On ERR_DOCUMENT the write that was refused is marked: the rest can be tried. When
 * the server does not say which one it was and there are several, the caller gets ERR_RETRY and
 * comes back with fewer.
 */
static int attempt(struct sync_sink *s, const struct sync_sink_context *c,
		   struct sync_write *writes, size_t n, const struct found *f, struct arena *arena,
		   struct err *err)
{
	struct plan p = {.index = arena_alloc(arena, n * sizeof(size_t))};
	int64_t refused = -1;
	int r = begin(s, err);

	if (r < 0)
		return r;
	p.bulk = new_bulk(s, c->mapping, false);
	r = make_plan(c, writes, n, f, arena, &p, err);
	if (r == 0 && p.n)
		r = run_plan(s, c->term, &p, &refused, err);
	roll_back(s);
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
	struct found f = {.mapping = c->mapping, .arena = arena};
	int r = s->is_uncertain ? settle(s, c->term, err) : 0;

	for (int next = ATTEMPT_LOOK_AGAIN; r == 0 && next != ATTEMPT_DONE;) {
		if (next == ATTEMPT_LOOK_AGAIN) {
			map_done(&f.by_key);
			r = find_present(s, c, writes, n, true, &f, err);
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

/* --- moving to another key ------------------------------------------------------------------- */

static bool is_owned(const struct mapping *m, const char *field)
{
	for (const char *const *f = mapping_owned_fields(m); *f; f++) {
		if (cstr_equal(*f, field))
			return true;
	}
	return cstr_equal(field, "_id") || cstr_equal(field, SYNC_MARK);
}

void sync_sink_make_adopt(const struct mapping *m, const bson_t *from, const bson_t *to,
			  bson_t *update)
{
	bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
	bson_iter_t it;

	for (bson_iter_init(&it, from); bson_iter_next(&it);) {
		if (!is_owned(m, bson_iter_key(&it)))
			bson_append_iter(&set, bson_iter_key(&it), -1, &it);
	}
	for (bson_iter_init(&it, to); bson_iter_next(&it);) {
		if (!is_owned(m, bson_iter_key(&it)) && !bson_has_field(from, bson_iter_key(&it)))
			bson_append_utf8(&unset, bson_iter_key(&it), -1, "", 0);
	}
	if (!bson_empty(&set))
		BSON_APPEND_DOCUMENT(update, "$set", &set);
	if (!bson_empty(&unset))
		BSON_APPEND_DOCUMENT(update, "$unset", &unset);
	bson_destroy(&set);
	bson_destroy(&unset);
}

/* The move's part of one kind of operations, of the documents as the transaction sees them. */
static int plan_move(const struct sync_sink_context *c, struct plan *p, const struct found *f,
		     const struct sync_move *move, enum sync_outcome kind, struct err *err)
{
	const bson_t *from = map_get(&f->by_key, move->old_key);
	const bson_t *to = map_get(&f->by_key, move->new_key);
	bson_t doc = BSON_INITIALIZER, none = BSON_INITIALIZER;
	int r = 0;

	if (!from || !has_field(from, SYNC_MARK))
		return 0; /* moved already, or somebody else's */
	if (to && !has_field(to, SYNC_MARK))
		return err_set(err, ERR_DOCUMENT, "a foreign document has the new key");
	if (kind == SYNC_DELETED) {
		r = add_delete(p, c->mapping, move->old_key, err);
	} else if (kind == SYNC_UPDATED && to) {
		/* What stayed of a row that left keeps all it has. */
		sync_sink_make_adopt(c->mapping, from, is_left(to) ? &none : to, &doc);
		if (!bson_empty(&doc))
			r = add_update(p, c->mapping, move->new_key, &doc, err);
		p->n_updates += !bson_empty(&doc);
	} else if (kind == SYNC_INSERTED && !to) {
		r = mapping_key_append(c->mapping, move->new_key, &doc, "_id", err);
		bson_copy_to_excluding_noinit(from, &doc, "_id", (char *)NULL);
		if (r == 0)
			r = add_insert(p, &doc, err);
	}
	p->n += kind == SYNC_DELETED;
	bson_destroy(&doc);
	return r;
}

/* Deletes come first: a unique index must not take an old document for another one. */
static int plan_moves(const struct sync_sink_context *c, struct plan *p, const struct found *f,
		      const struct sync_move *moves, size_t n, struct err *err)
{
	static const enum sync_outcome kinds[] = {SYNC_DELETED, SYNC_UPDATED, SYNC_INSERTED};
	int r = 0;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < n && r == 0; i++)
			r = plan_move(c, p, f, &moves[i], kinds[k], err);
	}
	return r;
}

int sync_sink_move(struct sync_sink *s, const struct sync_sink_context *c,
		   const struct sync_move *moves, size_t n, struct err *err)
{
	struct arena arena = {0};
	struct found f = {.mapping = c->mapping, .arena = &arena};
	struct mapping_document docs[2 * SYNC_MOVES_MAX] = {0};
	struct sync_write ends[2 * SYNC_MOVES_MAX] = {0};
	struct plan p = {0};
	int64_t refused = -1;
	int r = s->is_uncertain ? settle(s, c->term, err) : 0;

	bug_if(n > SYNC_MOVES_MAX);
	for (size_t i = 0; i < 2 * n; i++) {
		docs[i].key = i % 2 ? moves[i / 2].new_key : moves[i / 2].old_key;
		ends[i].document = &docs[i];
	}
	/* Read inside: what users write meanwhile conflicts, and is not lost. */
	if (r == 0)
		r = begin(s, err);
	if (r < 0)
		return r;
	p.bulk = new_bulk(s, c->mapping, true);
	r = find_present(s, c, ends, 2 * n, false, &f, err);
	if (r == 0)
		r = plan_moves(c, &p, &f, moves, n, err);
	if (r == 0 && p.n)
		r = run_plan(s, c->term, &p, &refused, err);
	if (r == -ERR_DOCUMENT && refused < 0 && err->native == CODE_BAD_VALUE) {
		err->code = ERR_RETRY; /* it names no document */
		r = -ERR_RETRY;
	}
	roll_back(s);
	mongoc_bulk_operation_destroy(p.bulk);
	map_done(&f.by_key);
	arena_done(&arena);
	return r;
}

/* --- documents that no row can have ---------------------------------------------------------- */

/* One transaction of operations on documents by their _id as it is; `update` NULL: they are
 * deleted. What lost its mark meanwhile is left alone. */
static int change_marked(struct sync_sink *s, const struct sync_sink_context *c, const bson_t *ids,
			 const bson_t *update, struct err *err)
{
	struct plan p = {0};
	int64_t refused;
	bson_iter_t id;
	int r = s->is_uncertain ? settle(s, c->term, err) : 0;

	if (r == 0)
		r = begin(s, err);
	if (r < 0)
		return r;
	p.bulk = new_bulk(s, c->mapping, true);
	for (bson_iter_init(&id, ids); bson_iter_next(&id) && r == 0;) {
		bson_t filter = BSON_INITIALIZER;
		bson_error_t e;

		bson_append_iter(&filter, "_id", -1, &id);
		append_marked(&filter);
		if (!(update
			  ? mongoc_bulk_operation_update_one_with_opts(p.bulk, &filter, update,
								       NULL, &e)
			  : mongoc_bulk_operation_remove_one_with_opts(p.bulk, &filter, NULL, &e)))
			r = mongo_error(err, &e, NULL, "a change");
		bson_destroy(&filter);
	}
	if (r == 0)
		r = run_plan(s, c->term, &p, &refused, err);
	roll_back(s);
	mongoc_bulk_operation_destroy(p.bulk);
	return r;
}

int sync_sink_remove(struct sync_sink *s, const struct sync_sink_context *c, const bson_t *ids,
		     struct err *err)
{
	return change_marked(s, c, ids, NULL, err);
}

int sync_sink_release(struct sync_sink *s, const struct sync_sink_context *c, struct str key,
		      struct err *err)
{
	bson_t *update = BCON_NEW("$unset", "{", SYNC_MARK, BCON_UTF8(""), "}");
	bson_t ids = BSON_INITIALIZER;
	int r = mapping_key_append(c->mapping, key, &ids, "0", err);

	if (r == 0)
		r = change_marked(s, c, &ids, update, err);
	bson_destroy(&ids);
	bson_destroy(update);
	return r;
}

/* --- pages of what is there ------------------------------------------------------------------ */

struct page {
	const struct mapping *mapping;
	struct arena *arena;
	size_t limit;
	struct sync_page *ret;
};

static int add_to_page(void *arg, const bson_t *doc, struct err *err)
{
	struct page *p = arg;
	struct mapping_keys *keys = &p->ret->keys;
	char buf[16];
	const char *index;
	bson_iter_t id;
	struct str key;

	(void)err;
	if (!bson_iter_init_find(&id, doc, "_id"))
		return 0;
	if (mapping_key_of_id(p->mapping, &id, p->arena, &key, NULL) < 0) {
		if (!p->ret->max_strays)
			return 0;
		(void)bson_uint32_to_string(p->ret->n_strays++, &index, buf, sizeof(buf));
		bson_append_iter(&p->ret->strays, index, -1, &id);
	} else {
		mem_grow(&keys->items, &keys->cap, keys->len + 1, sizeof(*keys->items));
		keys->items[keys->len++] = key;
	}
	p->ret->is_last =
	    keys->len < p->limit && (!p->ret->max_strays || p->ret->n_strays < p->ret->max_strays);
	return p->ret->is_last ? 0 : 1; /* enough */
}

void sync_page_done(struct sync_page *p)
{
	mapping_keys_done(&p->keys);
	bson_destroy(&p->strays);
}

static int read_page(struct sync_sink *s, const struct mapping *m, const bson_t *filter,
		     size_t limit, struct arena *arena, struct sync_page *ret, struct err *err)
{
	struct page p = {m, arena, limit, ret};
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id",
				BCON_INT32(1), "}", "batchSize", BCON_INT64((int64_t)limit));
	int r;

	ret->is_last = true;
	r = each_found(collection_of(s, m), filter, opts, add_to_page, &p, err);
	bson_destroy(opts);
	return r < 0 ? r : 0;
}

int sync_sink_page(struct sync_sink *s, const struct mapping *m, struct str after, size_t limit,
		   struct arena *arena, struct sync_page *ret, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, bound;
	int r = 0;

	append_marked(&filter);
	if (after.len) {
		BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &bound);
		r = mapping_key_append(m, after, &bound, "$gt", err);
		bson_append_document_end(&filter, &bound);
	}
	if (r == 0)
		r = read_page(s, m, &filter, limit, arena, ret, err);
	bson_destroy(&filter);
	return r;
}

int sync_sink_strays(struct sync_sink *s, const struct mapping *m, size_t limit,
		     struct arena *arena, struct sync_page *ret, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, bound, type;
	int r;

	append_marked(&filter);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &bound);
	BSON_APPEND_DOCUMENT_BEGIN(&bound, "$not", &type);
	BSON_APPEND_UTF8(&type, "$type", mapping_id_type(m));
	bson_append_document_end(&bound, &type);
	bson_append_document_end(&filter, &bound);
	r = read_page(s, m, &filter, limit, arena, ret, err);
	bson_destroy(&filter);
	return r;
}
