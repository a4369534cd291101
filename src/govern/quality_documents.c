/* Checks of documents in MongoDB: each is judged as the stream judges it. */
#include "govern/quality_int.h"

#include "store/mongo.h"

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

int quality_measure_documents(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	int rc;

	if (!rn->stores->mongo || !rn->stores->sync)
		return err_set(err, ERR_UNAVAILABLE, "%s",
			       rn->stores->without ? rn->stores->without : "MongoDB is not there");
	rc = read_documents(rn, r, err);
	return rc == 0 && r->check->kind == QUALITY_ROW_COUNT ? quality_measure_rows(rn, r, err)
							      : rc;
}
