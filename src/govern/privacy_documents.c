/*
 * Fields of documents that look like personal data: see privacy.h.
 *
 * What a mapping makes has its class there. The rest belongs to MongoDB's users, who ask nobody
 * before they add a field: of each collection a sample is read, and each path in it is judged like
 * a column. A list is judged as the field that holds it.
 */
#include "govern/privacy_int.h"
#include "govern/quality_int.h"

#include "base/banned.h"

#define PATHS_MAX 2000 /* of a collection; more are keys of data, not names */
#define DEPTH_MAX 20

struct field {
	char *path;
	struct privacy_counts counts;
};

struct sampler {
	const struct privacy_detect *d;
	const struct mapping *mapping; /* NULL: no mapping makes it */
	struct quality_pattern *forms[PRIVACY_LOOKS];
	size_t n, cap;
	struct field *fields;
};

/* --- collections ----------------------------------------------------------------------------- */

void privacy_collections_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		mem_free(names[i]);
	mem_free(names);
}

int privacy_collections(mongoc_database_t *db, char ***ret, struct err *err)
{
	mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(db, NULL);
	char **names = NULL;
	size_t n = 0, cap = 0;
	const bson_t *doc;
	bson_error_t error;
	int r = 0;

	mem_grow(&names, &cap, 1, sizeof(*names));
	while (mongoc_cursor_next(cursor, &doc)) {
		bson_iter_t name, type;

		if (!bson_iter_init_find(&name, doc, "name") || !BSON_ITER_HOLDS_UTF8(&name) ||
		    strncmp(bson_iter_utf8(&name, NULL), "system.", strlen("system.")) == 0)
			continue;
		if (bson_iter_init_find(&type, doc, "type") && BSON_ITER_HOLDS_UTF8(&type) &&
		    cstr_equal(bson_iter_utf8(&type, NULL), "view"))
			continue;
		mem_grow(&names, &cap, n + 2, sizeof(*names));
		names[n++] = mem_strdup(bson_iter_utf8(&name, NULL));
	}
	names[n] = NULL;
	if (mongoc_cursor_error(cursor, &error))
		r = mongo_error(err, &error, NULL, "listing the collections");
	mongoc_cursor_destroy(cursor);
	if (r == 0)
		*ret = names;
	else
		privacy_collections_free(names);
	return r;
}

/* --- fields ---------------------------------------------------------------------------------- */

/* NULL: there are too many. */
static struct field *find_field(struct sampler *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++)
		if (cstr_equal(s->fields[i].path, path))
			return &s->fields[i];
	if (s->n == PATHS_MAX)
		return NULL;
	mem_grow(&s->fields, &s->cap, s->n + 1, sizeof(*s->fields));
	s->fields[s->n] = (struct field){.path = mem_strdup(path)};
	return &s->fields[s->n++];
}

static void count_value(struct sampler *s, const char *path, const bson_iter_t *it)
{
	struct field *f = find_field(s, path);
	struct str text = {0};
	uint32_t len = 0;

	if (!f || BSON_ITER_HOLDS_NULL(it))
		return;
	f->counts.n_values++;
	if (!BSON_ITER_HOLDS_UTF8(it))
		return;
	text.data = bson_iter_utf8(it, &len);
	text.len = len;
	for (size_t i = 0; i < PRIVACY_LOOKS; i++)
		f->counts.n_alike[i] += s->forms[i] && quality_pattern_matches(s->forms[i], text);
}

static void read_fields(struct sampler *s, bson_iter_t *it, const char *above, int depth);

static void read_below(struct sampler *s, const bson_iter_t *it, const char *path, int depth)
{
	bson_iter_t below;

	if (depth == DEPTH_MAX || !bson_iter_recurse(it, &below))
		return;
	if (BSON_ITER_HOLDS_DOCUMENT(it)) {
		read_fields(s, &below, path, depth + 1);
		return;
	}
	while (bson_iter_next(&below)) {
		if (BSON_ITER_HOLDS_DOCUMENT(&below) || BSON_ITER_HOLDS_ARRAY(&below))
			read_below(s, &below, path, depth + 1);
		else
			count_value(s, path, &below);
	}
}

/* What the sync makes. */
static bool is_made(const struct sampler *s, const char *field)
{
	const char *const *owned = s->mapping ? mapping_owned_fields(s->mapping) : NULL;

	if (!owned)
		return false;
	if (cstr_equal(field, "_id") || cstr_equal(field, "_sync"))
		return true;
	for (; *owned; owned++)
		if (cstr_equal(*owned, field))
			return true;
	return false;
}

static void read_fields(struct sampler *s, bson_iter_t *it, const char *above, int depth)
{
	while (bson_iter_next(it)) {
		const char *key = bson_iter_key(it);
		_cleanup_(mem_freep) char *path =
		    mem_printf("%s%s%s", above, above[0] ? "." : "", key);

		if (depth == 0 && is_made(s, key))
			continue;
		if (BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it))
			read_below(s, it, path, depth);
		else
			count_value(s, path, it);
	}
}

/* --- samples --------------------------------------------------------------------------------- */

static int read_end(struct sampler *s, mongoc_collection_t *c, int32_t order, int64_t limit,
		    struct err *err)
{
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts =
	    BCON_NEW("sort", "{", "_id", BCON_INT32(order), "}", "limit", BCON_INT64(limit));
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, opts, NULL);
	const bson_t *doc;
	bson_error_t error;
	bson_iter_t it;
	int r = 0;

	while (mongoc_cursor_next(cursor, &doc))
		if (bson_iter_init(&it, doc))
			read_fields(s, &it, "", 0);
	if (mongoc_cursor_error(cursor, &error))
		r = mongo_error(err, &error, NULL, "reading a sample of the documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(&filter);
	return r;
}

/* No document twice. */
static int read_sample(struct sampler *s, mongoc_collection_t *c, struct err *err)
{
	const int64_t sample = PRIVACY_SAMPLE;
	bson_error_t error;
	int64_t n = mongoc_collection_estimated_document_count(c, NULL, NULL, NULL, &error);
	int r;

	if (n < 0)
		return mongo_error(err, &error, NULL, "counting the documents");
	r = read_end(s, c, 1, sample, err);
	if (r == 0 && n > sample)
		r = read_end(s, c, -1, n < 2 * sample ? n - sample : sample, err);
	return r;
}

static int detect_in(struct sampler *s, mongoc_collection_t *c, struct err *err)
{
	const char *name = mongoc_collection_get_name(c);
	int r;

	s->mapping = mapping_set_find(s->d->mappings, name);
	r = read_sample(s, c, err);
	for (size_t i = 0; i < s->n; i++) {
		struct privacy_finding f = {
		    .store = "MongoDB", .table = name, .column = s->fields[i].path};

		if (r == 0)
			r = privacy_judge(s->d, &f, &s->fields[i].counts, err);
		mem_free(s->fields[i].path);
	}
	s->n = 0;
	return r < 0 ? err_context(err, "collection \"%s\"", name) : 0;
}

int privacy_detect_documents(const struct privacy_detect *d, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct sampler s = {.d = d};
	mongoc_client_t *client = mongo_pop(d->mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, mongo_database(d->mongo));
	const char *why = NULL;
	char **names = NULL;
	int r = privacy_collections(db, &names, err);

	for (size_t i = 0; i < PRIVACY_LOOKS; i++)
		bug_if(privacy_looks[i].form &&
		       quality_pattern_new(privacy_looks[i].form, &s.forms[i], &why, &arena) < 0);
	for (size_t i = 0; r == 0 && names[i]; i++) {
		mongoc_collection_t *c = mongoc_database_get_collection(db, names[i]);

		r = detect_in(&s, c, err);
		mongoc_collection_destroy(c);
	}
	for (size_t i = 0; i < PRIVACY_LOOKS; i++)
		quality_pattern_free(s.forms[i]);
	mem_free(s.fields);
	privacy_collections_free(names);
	mongoc_database_destroy(db);
	mongo_push(d->mongo, client);
	return r;
}
