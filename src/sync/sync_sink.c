/*
 * MongoDB as the sink: what everything that writes there has in common. A client, a fence and a
 * transaction of this worker; documents as they are; one bulk of operations behind the fence.
 *
 * Documents are read outside a transaction when only this worker writes what it compares, and
 * inside when users' fields are moved with them.
 */
#include "sync/sync_sink_int.h"

#include <inttypes.h>

#include "base/banned.h"

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

static int fenced(const struct sync_sink *s, int64_t term, struct err *err)
{
	return err_set(err, ERR_FENCED, "MongoDB's fence %u no longer holds the term %" PRId64,
		       s->fence, term);
}

int sync_sink_sign(struct sync_sink *s, int64_t term, struct err *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT32((int32_t)s->fence), "term", BCON_INT64(term));
	bson_t *update = BCON_NEW("$set", "{", "session",
				  BCON_DOCUMENT(mongoc_client_session_get_lsid(s->session)), "}");
	bson_t reply;
	bson_error_t e;
	bson_iter_t it;
	int r = 0;

	if (!mongoc_collection_update_one(s->fences, filter, update, NULL, &reply, &e))
		r = mongo_error(err, &e, &reply, "signing the fence");
	else if (!bson_iter_init_find(&it, &reply, "matchedCount") || bson_iter_as_int64(&it) != 1)
		r = fenced(s, term, err);
	bson_destroy(&reply);
	bson_destroy(filter);
	bson_destroy(update);
	return r;
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

mongoc_collection_t *sync_sink_collection(struct sync_sink *s, const struct mapping *m)
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

int sync_sink_each(mongoc_collection_t *c, const bson_t *filter, const bson_t *opts,
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

static int add_found(void *arg, const bson_t *doc, struct err *err)
{
	struct sync_found *f = arg;
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

int sync_sink_find(struct sync_sink *s, const struct sync_sink_context *c,
		   const struct sync_write *writes, size_t n, bool only_owned, struct sync_found *f,
		   struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	int r = append_ids(writes, n, c->mapping, &filter, err);

	if (only_owned)
		append_projection(c, &opts);
	if (r == 0 && mongoc_client_session_in_transaction(s->session))
		bug_if(!mongoc_client_session_append(s->session, &opts, NULL));
	if (r == 0)
		r = sync_sink_each(sync_sink_collection(s, c->mapping), &filter, &opts, add_found,
				   f, err);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

/* --- operations ------------------------------------------------------------------------------- */

bool sync_has_field(const bson_t *doc, const char *name)
{
	return doc && bson_has_field(doc, name);
}

bool sync_is_left(const bson_t *have)
{
	bson_iter_t it, left;

	return bson_iter_init(&it, have) && bson_iter_find_descendant(&it, "_sync.left_at", &left);
}

/* What a field may be called is the server's matter: the driver does not validate. */
int sync_plan_insert(struct sync_plan *p, const bson_t *doc, struct err *err)
{
	bson_t opts = BSON_INITIALIZER;
	bson_error_t e;
	int r = 0;

	BSON_APPEND_BOOL(&opts, "validate", false);
	if (!mongoc_bulk_operation_insert_with_opts(p->bulk, doc, &opts, &e))
		r = mongo_error(err, &e, NULL, "an insert");
	bson_destroy(&opts);
	return r;
}

int sync_plan_update(struct sync_plan *p, const struct mapping *m, struct str key,
		     const bson_t *update, struct err *err)
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

void sync_append_marked(bson_t *filter)
{
	bson_t exists;

	BSON_APPEND_DOCUMENT_BEGIN(filter, SYNC_MARK, &exists);
	BSON_APPEND_BOOL(&exists, "$exists", true);
	bson_append_document_end(filter, &exists);
}

int sync_plan_delete(struct sync_plan *p, const struct mapping *m, struct str key, struct err *err)
{
	bson_t filter = BSON_INITIALIZER;
	bson_error_t e;
	int r = mapping_key_append(m, key, &filter, "_id", err);

	sync_append_marked(&filter);
	if (r == 0 && !mongoc_bulk_operation_remove_one_with_opts(p->bulk, &filter, NULL, &e))
		r = mongo_error(err, &e, NULL, "a delete");
	bson_destroy(&filter);
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
			r = fenced(s, term, err);
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

int sync_sink_begin(struct sync_sink *s, struct err *err)
{
	bson_error_t e;

	if (!mongoc_client_session_start_transaction(s->session, s->options, &e))
		return mongo_error(err, &e, NULL, "starting a transaction");
	return 0;
}

void sync_sink_roll_back(struct sync_sink *s)
{
	bson_error_t e;

	if (mongoc_client_session_in_transaction(s->session))
		(void)mongoc_client_session_abort_transaction(s->session, &e);
}

/*
 * Behind a commit whose outcome is not known: a transaction that writes the same fence is ordered
 * behind it, or fails. Only then is what is read there what will stay there.
 */
int sync_sink_settle(struct sync_sink *s, int64_t term, struct err *err)
{
	int r = sync_sink_begin(s, err);

	if (r == 0)
		r = write_fence(s, term, err);
	if (r == 0)
		r = commit(s, err);
	sync_sink_roll_back(s);
	return r;
}

static size_t number_of(const bson_t *reply, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, reply, field) ? (size_t)bson_iter_as_int64(&it) : 0;
}

/* The bulk, with the index of the operation that the server refused in *ret_refused (or -1). */
static int run_bulk(struct sync_plan *p, int64_t *ret_refused, struct err *err)
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

mongoc_bulk_operation_t *sync_sink_new_bulk(struct sync_sink *s, const struct mapping *m,
					    bool ordered)
{
	bson_t opts = BSON_INITIALIZER;
	mongoc_bulk_operation_t *bulk;
	bson_error_t e;

	BSON_APPEND_BOOL(&opts, "ordered", ordered);
	bug_if(!mongoc_client_session_append(s->session, &opts, &e));
	bulk = mongoc_collection_create_bulk_operation_with_opts(sync_sink_collection(s, m), &opts);
	bson_destroy(&opts);
	return bulk;
}

int sync_sink_run(struct sync_sink *s, int64_t term, struct sync_plan *p, int64_t *ret_refused,
		  struct err *err)
{
	int r = write_fence(s, term, err);

	if (r == 0)
		r = run_bulk(p, ret_refused, err);
	return r == 0 ? commit(s, err) : r;
}
