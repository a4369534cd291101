/* Checks of documents in MongoDB: each is judged as the stream judges it; reconciliation is the
 * sync's own proof (sync_verify.h). */
#include "govern/quality_int.h"

#include "store/mongo.h"
#include "sync/sync_verify.h"

#include <inttypes.h>

#include "base/banned.h"

static struct str key_of(const struct mapping *m, const bson_t *doc, struct arena *arena)
{
	struct str key = str_from("?"); /* an _id that no row can have */
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "_id"))
		(void)!mapping_key_of_id(m, &it, arena, &key, NULL);
	return key;
}

static int each_document(struct quality_runner *rn, struct quality_result *r,
			 mongoc_cursor_t *cursor, struct err *err)
{
	const struct quality_check *c = r->check;
	const struct mapping *m = mapping_set_find(rn->stores->mappings, c->collection);
	struct quality_keys keys = {.max = quality_keys_max(c)};
	_cleanup_(arena_done) struct arena arena = {0};
	const bson_t *doc, *reply;
	bson_error_t error;

	while (mongoc_cursor_next(cursor, &doc)) {
		r->checked++;
		if (c->kind == QUALITY_ROW_COUNT || quality_judge(c, doc))
			continue;
		r->failed++;
		quality_add_failed(rn, &keys, key_of(m, doc, &arena));
		arena_clear(&arena);
	}
	r->keys = keys.items;
	r->n_keys = keys.n;
	return mongoc_cursor_error_document(cursor, &error, &reply)
		   ? mongo_error(err, &error, reply, "reading documents")
		   : 0;
}

static int read_documents(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	const struct quality_check *c = r->check;
	struct mongo *mongo = rn->stores->mongo;
	mongoc_client_t *client = mongo_pop(mongo);
	mongoc_collection_t *in =
	    mongoc_client_get_collection(client, mongo_database(mongo), c->collection);
	const char *field = c->field ? c->field : "_id";
	bson_t opts = BSON_INITIALIZER, filter = BSON_INITIALIZER, projection;
	mongoc_cursor_t *cursor;
	int rc;

	BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &projection);
	bson_append_int32(&projection, field, (int)strcspn(field, "."), 1);
	bson_append_document_end(&opts, &projection);
	BSON_APPEND_INT64(&opts, "maxTimeMS", c->timeout_ms);
	cursor = mongoc_collection_find_with_opts(in, &filter, &opts, NULL);
	rc = each_document(rn, r, cursor, err);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(in);
	bson_destroy(&filter);
	bson_destroy(&opts);
	mongo_push(mongo, client);
	return rc;
}

static void take_differences(struct quality_runner *rn, struct quality_result *r,
			     const struct sync_verify_result *v)
{
	struct quality_keys keys = {.max = quality_keys_max(r->check)};

	r->checked = v->rows > v->documents ? v->rows : v->documents;
	r->failed = v->missing + v->extra + v->different + v->refused;
	for (size_t i = 0; i < v->n_differences; i++)
		quality_add_failed(rn, &keys, v->differences[i].key);
	r->keys = keys.items;
	r->n_keys = keys.n;
	r->details =
	    arena_printf(&rn->run->arena,
			 "%" PRIu64 " rows, %" PRIu64 " documents: %" PRIu64 " missing, %" PRIu64
			 " extra, %" PRIu64 " differ, %" PRIu64 " refused",
			 v->rows, v->documents, v->missing, v->extra, v->different, v->refused);
}

static int reconcile(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	const struct mapping *m = mapping_set_find(rn->stores->mappings, r->check->collection);
	struct sync_verify_options options = {.wait_ms = r->check->timeout_ms};
	struct sync_verify_result v = {0};
	int rc = sync_verify(rn->stores->sync, rn->stores->mongo, m, &options, &v, err);

	if (rc < 0)
		return rc;
	take_differences(rn, r, &v);
	if (!r->failed && v.pending)
		rc = err_set(err, ERR_TIMEOUT,
			     "%" PRIu64 " documents changed while they were compared", v.pending);
	sync_verify_result_done(&v);
	return rc;
}

int quality_measure_documents(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	int rc;

	if (!rn->stores->mongo || !rn->stores->sync)
		return err_set(err, ERR_UNAVAILABLE, "%s",
			       rn->stores->without ? rn->stores->without : "MongoDB is not there");
	if (r->check->kind == QUALITY_RECONCILIATION)
		return reconcile(rn, r, err);
	rc = read_documents(rn, r, err);
	return rc == 0 && r->check->kind == QUALITY_ROW_COUNT ? quality_measure_rows(rn, r, err)
							      : rc;
}
