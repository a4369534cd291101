/*
 * MongoDB as a store that is verified (sync_verify.h): documents are fetched by _id, and compared
 * with what the row makes field by field, type by type; only what the mapping owns is compared.
 * The mark of the applier tells one write from another, and is part of what is there.
 */
#include "sync/sync_verify.h"

#include "sync/sync_int.h"

#include "base/banned.h"

/* --- comparing two documents ----------------------------------------------------------------- */

#define PATHS_MAX 10

struct paths {
	struct strbuf text;
	unsigned n;
};

static void add_path(struct paths *p, const char *prefix, const char *name)
{
	if (++p->n > PATHS_MAX)
		return;
	if (p->text.len)
		strbuf_addstr(&p->text, ", ");
	strbuf_addf(&p->text, "%s%s%s", prefix, prefix[0] ? "." : "", name);
}

static void diff_value(const bson_iter_t *a, const bson_iter_t *b, const char *prefix,
		       struct paths *p);

/* Fields of a that b lacks or holds otherwise, then fields that only b has. Names may hold dots, so
 * they are looked up as they are. */
static void diff_containers(const bson_t *a, const bson_t *b, const char *prefix, struct paths *p)
{
	bson_iter_t it, other;

	if (!bson_iter_init(&it, a))
		return;
	while (bson_iter_next(&it)) {
		if (!bson_iter_init_find(&other, b, bson_iter_key(&it)))
			add_path(p, prefix, bson_iter_key(&it));
		else
			diff_value(&it, &other, prefix, p);
	}
	if (!bson_iter_init(&it, b))
		return;
	while (bson_iter_next(&it)) {
		if (!bson_iter_init_find(&other, a, bson_iter_key(&it)))
			add_path(p, prefix, bson_iter_key(&it));
	}
}

static bool as_document(const bson_iter_t *it, bson_t *ret)
{
	const uint8_t *data;
	uint32_t len;

	if (BSON_ITER_HOLDS_DOCUMENT(it))
		bson_iter_document(it, &len, &data);
	else if (BSON_ITER_HOLDS_ARRAY(it))
		bson_iter_array(it, &len, &data);
	else
		return false;
	return bson_init_static(ret, data, len);
}

static void diff_value(const bson_iter_t *a, const bson_iter_t *b, const char *prefix,
		       struct paths *p)
{
	bson_t da, db;

	if (sync_is_same_value(a, b) || p->n > PATHS_MAX)
		return;
	if (bson_iter_type(a) == bson_iter_type(b) && as_document(a, &da) && as_document(b, &db)) {
		_cleanup_(mem_freep) char *path =
		    mem_printf("%s%s%s", prefix, prefix[0] ? "." : "", bson_iter_key(a));
		unsigned before = p->n;

		diff_containers(&da, &db, path, p);
		if (p->n == before) /* the same fields in another order */
			add_path(p, prefix, bson_iter_key(a));
		return;
	}
	add_path(p, prefix, bson_iter_key(a));
}

char *sync_diff_documents(const bson_t *want, const bson_t *have)
{
	struct paths p = {.text = STRBUF_INIT(4096)};
	bson_iter_t w, h;

	bug_if(!bson_iter_init(&w, want));
	while (bson_iter_next(&w)) {
		if (cstr_equal(bson_iter_key(&w), "_id"))
			continue;
		if (!bson_iter_init_find(&h, have, bson_iter_key(&w)))
			add_path(&p, "", bson_iter_key(&w));
		else
			diff_value(&w, &h, "", &p);
	}
	if (p.n > PATHS_MAX) /* how many is not known: the search ends early */
		strbuf_addstr(&p.text, " and more");
	return p.n ? strbuf_take(&p.text) : NULL;
}

/* --- looking at documents -------------------------------------------------------------------- */

struct mongo_store {
	struct maria *db;
	mongoc_collection_t *collection;
	const struct mapping *mapping;
	struct sync_verify_result *result;
	struct arena arena; /* of the page in hand */
	struct arena lists;
	const char *const *retired; /* fields of a former mapping that still have to go */
	uint64_t n_strays;	    /* marked documents that no row can have */
};

static bool has_left(const bson_t *doc)
{
	return bson_has_field(doc, "_sync.left_at");
}

/* Paths that differ, with fields of a former mapping that are still there; NULL: none. */
static char *diff(const struct mongo_store *m, const bson_t *want, const bson_t *have)
{
	char *paths = sync_diff_documents(want, have);

	for (const char *const *f = m->retired; *f; f++) {
		char *longer;

		if (!bson_has_field(have, SYNC_MARK) || !bson_has_field(have, *f))
			continue;
		longer = mem_printf("%s%s%s", paths ? paths : "", paths ? ", " : "", *f);
		mem_free(paths);
		paths = longer;
	}
	return paths;
}

static void compare(const struct mongo_store *m, const struct mapping_document *d,
		    const bson_t *have, struct sync_look *ret)
{
	bool is_marked = have && bson_has_field(have, SYNC_MARK);

	ret->have_hash =
	    have ? map_hash((struct str){(const char *)bson_get_data(have), have->len}) : 0;
	if (d->state == MAPPING_PRESENT) {
		ret->paths = have ? diff(m, d->document, have) : NULL;
		ret->differs = !have || ret->paths;
		ret->kind = have ? SYNC_DIFFERENT : SYNC_MISSING;
	} else if (d->state == MAPPING_ABSENT) {
		ret->differs = is_marked && !(mapping_keeps_on_leave(m->mapping) && has_left(have));
		ret->kind = SYNC_EXTRA;
	}
}

static void append_wanted(const struct mongo_store *m, const struct mapping_document *rows,
			  size_t n, bson_t *filter)
{
	bson_t in, ids;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
	for (size_t i = 0; i < n; i++) {
		char buf[16];
		const char *index;

		(void)bson_uint32_to_string((uint32_t)i, &index, buf, sizeof(buf));
		/* A key that cannot be an _id has no document. */
		(void)!mapping_key_append(m->mapping, rows[i].key, &ids, index, NULL);
	}
	bson_append_array_end(&in, &ids);
	bson_append_document_end(filter, &in);
}

/* Only what is compared: users may have put megabytes beside it. */
static void append_projection(const struct mongo_store *m, bson_t *opts)
{
	const char *const *lists[] = {mapping_owned_fields(m->mapping), m->retired};
	bson_t fields;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &fields);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (const char *const *f = lists[i]; *f; f++)
			BSON_APPEND_INT32(&fields, *f, 1);
	}
	BSON_APPEND_INT32(&fields, SYNC_MARK, 1);
	bson_append_document_end(opts, &fields);
}

/* The documents as they are. The sink has such a query too; verification trusts none of its code.
 */
static int fetch(struct mongo_store *m, const struct mapping_document *rows, size_t n,
		 struct map *by_key, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	append_wanted(m, rows, n, &filter);
	append_projection(m, &opts);
	cursor = mongoc_collection_find_with_opts(m->collection, &filter, &opts, NULL);
	while (mongoc_cursor_next(cursor, &doc)) {
		bson_iter_t id;
		struct str key;

		if (bson_iter_init_find(&id, doc, "_id") &&
		    mapping_key_of_id(m->mapping, &id, &m->arena, &key, NULL) == 0)
			*map_put(by_key, key) = mongo_copy_document(doc, &m->arena);
	}
	if (mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "reading documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

static int look(void *arg, const struct mapping_document *rows, size_t n, struct sync_look *ret,
		struct err *err)
{
	struct mongo_store *m = arg;
	struct map by_key = {0};
	int r;

	arena_clear(&m->arena);
	r = fetch(m, rows, n, &by_key, err);
	for (size_t i = 0; i < n && r == 0; i++)
		compare(m, &rows[i], map_get(&by_key, rows[i].key), &ret[i]);
	map_done(&by_key);
	return r;
}

/* --- all documents --------------------------------------------------------------------------- */

/* A marked document whose _id no row can have: no change in flight can make it right. */
static void add_stray(struct mongo_store *m, const bson_t *doc)
{
	bson_t id = BSON_INITIALIZER;
	char *json;

	m->n_strays++;
	if (m->result->n_differences == SYNC_VERIFY_LISTED)
		return;
	bson_copy_to_excluding_noinit(doc, &id, SYNC_MARK, (char *)NULL);
	json = bson_as_relaxed_extended_json(&id, NULL);
	sync_verify_list(m->result, SYNC_EXTRA, str_from(arena_strdup(&m->result->arena, json)),
			 NULL);
	bson_free(json);
	bson_destroy(&id);
}

static int walk_one(struct mongo_store *m, struct sync_walk *w, const bson_t *doc, struct err *err)
{
	bson_iter_t id;
	struct str key;

	if (!bson_has_field(doc, SYNC_MARK) || !bson_iter_init_find(&id, doc, "_id")) {
		sync_walk_count(w, true);
		return 0;
	}
	arena_clear(&m->arena);
	if (mapping_key_of_id(m->mapping, &id, &m->arena, &key, NULL) < 0) {
		sync_walk_count(w, false);
		add_stray(m, doc);
		return 0;
	}
	if (!has_left(doc))
		return sync_walk_add(w, key, err);
	sync_walk_count(w, false);
	return 0;
}

static int walk(void *arg, struct sync_walk *w, struct err *err)
{
	struct mongo_store *m = arg;
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id",
				BCON_INT32(1), SYNC_MARK, BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
	    mongoc_collection_find_with_opts(m->collection, &filter, opts, NULL);
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	while (r == 0 && mongoc_cursor_next(cursor, &doc))
		r = walk_one(m, w, doc, err);
	if (r == 0 && mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "reading documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(opts);
	return r;
}

/* --- the verdict ----------------------------------------------------------------------------- */

static int record(struct mongo_store *m, struct err *err)
{
	const struct sync_verify_result *r = m->result;
	_cleanup_(mem_freep) char *text =
	    sync_verify_is_equal(r)
		? mem_printf("equal (%llu rows)", (unsigned long long)r->rows)
		: mem_printf("missing %llu, extra %llu, different %llu, pending %llu",
			     (unsigned long long)r->missing, (unsigned long long)r->extra,
			     (unsigned long long)r->different, (unsigned long long)r->pending);

	return maria_run(m->db, sync_sql_collection_verified,
			 (struct maria_value[]){MARIA_S(text), MARIA_S(r->collection)}, 2, NULL,
			 err);
}

static int read_retired(struct mongo_store *m, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[] = {MARIA_S(mapping_queue(m->mapping)),
				       MARIA_S(mapping_collection(m->mapping))};
	int r = maria_query(m->db, sync_sql_collection_read, params, ARRAY_LEN(params), &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r >= 0)
		m->retired = sync_list_of_json(&m->lists, r > 0 ? maria_rows_str(rows, 2)
								: (struct str){NULL, 0});
	return r < 0 ? r : 0;
}

static bool is_migrating(const struct mongo_store *m)
{
	int64_t n = 0;

	return maria_query_int(m->db, sync_sql_collection_is_migrating,
			       &MARIA_S(mapping_collection(m->mapping)), 1, &n, NULL) == 0 &&
	       n;
}

int sync_verify(struct maria *db, struct mongo *mongo, const struct mapping *mapping,
		const struct sync_verify_options *options, struct sync_verify_result *ret,
		struct err *err)
{
	mongoc_client_t *client = mongo_pop(mongo);
	struct mongo_store m = {.db = db, .mapping = mapping, .result = ret};
	struct sync_store store = {.arg = &m, .look = look, .walk = walk};
	int r;

	*ret = (struct sync_verify_result){.collection = mapping_collection(mapping)};
	m.collection = mongoc_client_get_collection(client, mongo_database(mongo),
						    mapping_collection(mapping));
	r = read_retired(&m, err);
	if (r == 0)
		r = sync_verify_store(db, mapping, &store, options, ret, err);
	if (r == 0) {
		*(is_migrating(&m) ? &ret->pending : &ret->extra) += m.n_strays;
		r = record(&m, err);
	}
	arena_done(&m.arena);
	arena_done(&m.lists);
	mongoc_collection_destroy(m.collection);
	mongo_push(mongo, client);
	return r;
}
