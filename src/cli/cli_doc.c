/* `aethermart doc`: one document, as MongoDB's relaxed extended JSON. */
#include "cli/cli_stack.h"

#include "base/banned.h"

#define JSON_FLAGS (JSON_ALLOW_NUL | JSON_DECODE_ANY)

/* --- the key --------------------------------------------------------------------------------- */

/* What a person typed as the filter {_id: …}: by the mapping, which knows the key's type; for
 * other collections a whole number is one, and anything else a text. */
static int make_filter(const struct command_line *line, const char *collection, const char *text,
		       bson_t *filter, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_closep) struct maria *db = NULL;
	struct mapping_set set = {0};
	const struct mapping *m = NULL;
	struct str key;
	int64_t number;
	int r = 0;

	if (cli_open_maria(line, ENDPOINT_ADMIN, &db, NULL) == 0 &&
	    cli_load_mappings(line, db, &set, NULL) == 0)
		m = mapping_set_find(&set, collection);
	if (m) {
		r = mapping_key_parse(m, text, &arena, &key, err);
		if (r == 0)
			r = mapping_key_append(m, key, filter, "_id", err);
	} else if (parse_int64(str_from(text), INT64_MIN, INT64_MAX, &number, NULL) == 0) {
		BSON_APPEND_INT64(filter, "_id", number);
	} else {
		BSON_APPEND_UTF8(filter, "_id", text);
	}
	mapping_set_done(&set);
	return r;
}

/* --- printing -------------------------------------------------------------------------------- */

static int print_document(const bson_t *doc, bool is_stream, struct err *err)
{
	char *text = bson_as_relaxed_extended_json(doc, NULL);
	json_t *json = text ? json_loads(text, JSON_FLAGS, NULL) : NULL;

	bson_free(text);
	if (!json)
		return err_set(err, ERR_CORRUPTED, "the document cannot be written as JSON");
	return is_stream ? cli_print_json_line(json, err) : cli_print_json(json, err);
}

static int print_current(mongoc_collection_t *c, const bson_t *filter, const char *name,
			 const char *key, bool is_stream, struct err *err)
{
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, NULL, NULL);
	const bson_t *doc = NULL, *reply = NULL;
	bson_error_t e;
	int r = 0;

	if (mongoc_cursor_next(cursor, &doc))
		r = print_document(doc, is_stream, err);
	else if (mongoc_cursor_error_document(cursor, &e, &reply))
		r = mongo_error(err, &e, reply, "reading the document");
	else
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" has no document with the key \"%s\"", name,
			    key);
	mongoc_cursor_destroy(cursor);
	return r;
}

/* --- watching -------------------------------------------------------------------------------- */

static int print_change(const bson_t *change, bool is_json, struct err *err)
{
	bson_iter_t it;
	const uint8_t *data = NULL;
	uint32_t len = 0;
	bson_t doc;

	if (bson_iter_init_find(&it, change, "fullDocument") && BSON_ITER_HOLDS_DOCUMENT(&it)) {
		bson_iter_document(&it, &len, &data);
		if (bson_init_static(&doc, data, len))
			return print_document(&doc, is_json, err);
	}
	if (bson_iter_init_find(&it, change, "operationType") && BSON_ITER_HOLDS_UTF8(&it) &&
	    cstr_equal(bson_iter_utf8(&it, NULL), "delete"))
		puts(is_json ? "null" : "deleted");
	return cli_flush(err);
}

static int watch(mongoc_collection_t *c, const bson_t *filter, bool is_json, struct err *err)
{
	bson_iter_t id;
	bson_t match = BSON_INITIALIZER;
	bson_t *pipeline, *opts;
	mongoc_change_stream_t *stream;
	const bson_t *change, *reply = NULL;
	bson_error_t e;
	int r = 0;

	if (bson_iter_init_find(&id, filter, "_id"))
		BSON_APPEND_VALUE(&match, "documentKey._id", bson_iter_value(&id));
	pipeline = BCON_NEW("pipeline", "[", "{", "$match", BCON_DOCUMENT(&match), "}", "]");
	opts =
	    BCON_NEW("fullDocument", BCON_UTF8("updateLookup"), "maxAwaitTimeMS", BCON_INT64(1000));
	stream = mongoc_collection_watch(c, pipeline, opts);
	while (r == 0) {
		if (mongoc_change_stream_next(stream, &change))
			r = print_change(change, is_json, err);
		else if (mongoc_change_stream_error_document(stream, &e, &reply))
			r = mongo_error(err, &e, reply, "watching the document");
	}
	mongoc_change_stream_destroy(stream);
	bson_destroy(pipeline);
	bson_destroy(opts);
	bson_destroy(&match);
	return r;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	const char *name = line->argv[0], *key = line->argv[1];
	bool is_watch = command_has(line, "watch");
	bson_t filter = BSON_INITIALIZER;
	mongoc_client_t *client;
	mongoc_collection_t *c;
	int r = cli_open_mongo(line, ENDPOINT_ADMIN, &mongo, err);

	if (r == 0)
		r = make_filter(line, name, key, &filter, err);
	if (r == 0) {
		client = mongo_pop(mongo);
		c = mongoc_client_get_collection(client, mongo_database(mongo), name);
		r = print_current(c, &filter, name, key, is_watch && line->json, err);
		/* A document that is still to come can be waited for. */
		if (is_watch && (r == 0 || r == -ERR_NOT_FOUND))
			r = watch(c, &filter, line->json, err);
		mongoc_collection_destroy(c);
		mongo_push(mongo, client);
	}
	bson_destroy(&filter);
	return r;
}

static const struct command_option options[] = {
    {.name = "watch",
     .type = COMMAND_FLAG,
     .help = "print it again at each change, until Ctrl-C; with --json one line each"},
    {0},
};

const struct command command_doc = {
    .name = "doc",
    .summary = "print a document",
    .arguments = "COLLECTION KEY",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .help = "As MongoDB's relaxed extended JSON.\n\n"
	    "  aethermart doc product_catalog 15\n"
	    "  aethermart doc product_catalog 15 --watch",
    .run = run,
};
