/*
 * Searching MongoDB: each document of each collection of each database that the account may list;
 * those of others, too. Texts, names of fields, bytes, patterns, code and numbers are looked
 * through, and whose a document says that it is.
 */
#include "govern/erase_int.h"

#include "base/clock.h"
#include "govern/privacy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/banned.h"

#define DEPTH_MAX 128		     /* MongoDB itself allows 100 */
#define EXACT_MAX 9007199254740992.0 /* up to which a double is a whole number */

/* --- values ---------------------------------------------------------------------------------- */

static void look_at_text(struct erase_match *m, const char *text, size_t len)
{
	(void)erase_match_look(m, (struct str){text, len});
}

static void look_at_number(struct erase_match *m, const bson_iter_t *it)
{
	char text[BSON_DECIMAL128_STRING] = "";
	bson_decimal128_t decimal;

	if (BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it))
		(void)snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(it));
	else if (BSON_ITER_HOLDS_DOUBLE(it) && fabs(bson_iter_double(it)) < EXACT_MAX &&
		 floor(bson_iter_double(it)) == bson_iter_double(it))
		(void)snprintf(text, sizeof(text), "%.0f", bson_iter_double(it));
	else if (BSON_ITER_HOLDS_DECIMAL128(it) && bson_iter_decimal128(it, &decimal))
		bson_decimal128_to_string(&decimal, text);
	look_at_text(m, text, strlen(text));
}

static void look_at_bytes(struct erase_match *m, const bson_iter_t *it)
{
	bson_subtype_t subtype;
	const uint8_t *bytes;
	uint32_t len;

	bson_iter_binary(it, &subtype, &len, &bytes);
	look_at_text(m, (const char *)bytes, len);
}

static enum erase_kind look_at_document(struct erase_match *m, bson_iter_t *it, int depth);

static void look_at_scope(struct erase_match *m, const bson_iter_t *it, int depth)
{
	uint32_t len, scope_len;
	const uint8_t *scope;
	const char *code = bson_iter_codewscope(it, &len, &scope_len, &scope);
	bson_iter_t below;

	look_at_text(m, code, len);
	if (bson_iter_init_from_data(&below, scope, scope_len))
		(void)look_at_document(m, &below, depth + 1);
}

static void look_at_value(struct erase_match *m, const bson_iter_t *it, int depth)
{
	bson_iter_t below;
	const char *text;
	uint32_t len;

	if (BSON_ITER_HOLDS_UTF8(it)) {
		text = bson_iter_utf8(it, &len);
		look_at_text(m, text, len);
	} else if (BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it)) {
		if (depth < DEPTH_MAX && bson_iter_recurse(it, &below))
			(void)look_at_document(m, &below, depth + 1);
	} else if (BSON_ITER_HOLDS_BINARY(it)) {
		look_at_bytes(m, it);
	} else if (BSON_ITER_HOLDS_REGEX(it)) {
		text = bson_iter_regex(it, NULL);
		look_at_text(m, text, strlen(text));
	} else if (BSON_ITER_HOLDS_CODE(it)) {
		text = bson_iter_code(it, &len);
		look_at_text(m, text, len);
	} else if (BSON_ITER_HOLDS_SYMBOL(it)) {
		text = bson_iter_symbol(it, &len);
		look_at_text(m, text, len);
	} else if (BSON_ITER_HOLDS_CODEWSCOPE(it)) {
		look_at_scope(m, it, depth);
	} else {
		look_at_number(m, it);
	}
}

static enum erase_kind look_at_document(struct erase_match *m, bson_iter_t *it, int depth)
{
	enum erase_kind found = ERASE_NONE;

	while (found == ERASE_NONE && bson_iter_next(it)) {
		look_at_text(m, bson_iter_key(it), bson_iter_key_len(it));
		look_at_value(m, it, depth);
		found = erase_match_look(m, (struct str){0});
	}
	return found;
}

/* --- whose it is ----------------------------------------------------------------------------- */

struct collection_search {
	const struct searching *g;
	const char *database, *name;
	const char *owner; /* the field of the mapping that says it; NULL: none */
	bool is_ours;	   /* in the database of the documents */
	bool is_kept;	   /* made of rows that stay */
	bool has_id;	   /* _id says whose it is */
};

static bool is_subject(const struct collection_search *cs, const bson_iter_t *it)
{
	char text[64] = "";
	bson_decimal128_t decimal;

	if (BSON_ITER_HOLDS_UTF8(it))
		return cstr_equal(bson_iter_utf8(it, NULL), cs->g->s->subject);
	if (BSON_ITER_HOLDS_DECIMAL128(it) && bson_iter_decimal128(it, &decimal))
		bson_decimal128_to_string(&decimal, text);
	else if (BSON_ITER_HOLDS_NUMBER(it))
		(void)snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(it));
	return cstr_equal(text, cs->g->s->subject);
}

/* Whether a field of the key's name says it, at any depth. */
static bool names_subject(const struct collection_search *cs, bson_iter_t *it, int depth)
{
	while (bson_iter_next(it)) {
		bson_iter_t below;

		if (cstr_equal(bson_iter_key(it), cs->g->e->a->subject_key) && is_subject(cs, it))
			return true;
		if ((BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it)) &&
		    depth < DEPTH_MAX && bson_iter_recurse(it, &below) &&
		    names_subject(cs, &below, depth + 1))
			return true;
	}
	return false;
}

static bool is_theirs(const struct collection_search *cs, const bson_t *doc)
{
	bson_iter_t it;

	if (!cs->is_ours || cs->is_kept)
		return false;
	return (cs->owner && bson_iter_init_find(&it, doc, cs->owner) && is_subject(cs, &it)) ||
	       (cs->has_id && bson_iter_init_find(&it, doc, "_id") && is_subject(cs, &it)) ||
	       (bson_iter_init(&it, doc) && names_subject(cs, &it, 0));
}

static const char *look(const struct collection_search *cs, const bson_t *doc)
{
	enum erase_kind found = ERASE_NONE;
	bson_iter_t it;

	if (is_theirs(cs, doc))
		return "theirs";
	erase_match_begin(cs->g->match, ERASE_VALUES);
	if (bson_iter_init(&it, doc))
		found = look_at_document(cs->g->match, &it, 0);
	return found == ERASE_NONE ? NULL : erase_kind_name(found);
}

static void use_mapping(struct collection_search *cs, const struct mapping *m)
{
	const struct access *a = cs->g->e->a;
	const char *table = mapping_root_table(m), *key = mapping_key_column(m, 0);

	cs->owner = privacy_owner_field(a, m);
	cs->has_id = key && cstr_equal(key, a->subject_key) && !mapping_key_column(m, 1);
	/* Of whoever is erased themselves nothing stays, whatever becomes of their row. */
	cs->is_kept = !cstr_equal(table, a->subject_table) && erase_is_kept(cs->g->s, table);
}

/* --- collections ----------------------------------------------------------------------------- */

/* The _id as JSON writes it; a number, a text and an ObjectId plain. */
static void add_id(const bson_t *doc, struct strbuf *b)
{
	bson_t id = BSON_INITIALIZER;
	bson_iter_t it;
	char hex[25];
	char *json;

	if (!bson_iter_init_find(&it, doc, "_id"))
		return;
	if (BSON_ITER_HOLDS_UTF8(&it)) {
		strbuf_add_visible(b, bson_iter_utf8(&it, NULL), strlen(bson_iter_utf8(&it, NULL)));
		return;
	}
	if (BSON_ITER_HOLDS_OID(&it)) {
		bson_oid_to_string(bson_iter_oid(&it), hex);
		strbuf_addstr(b, hex);
		return;
	}
	if (BSON_ITER_HOLDS_INT(&it)) {
		strbuf_addf(b, "%" PRId64, bson_iter_as_int64(&it));
		return;
	}
	(void)bson_append_iter(&id, "_id", -1, &it);
	json = bson_as_relaxed_extended_json(&id, NULL);
	if (json)
		strbuf_addstr(b, json);
	bson_free(json);
	bson_destroy(&id);
}

static int read_documents(const struct collection_search *cs, mongoc_cursor_t *cursor,
			  struct erase_place *place, struct err *err)
{
	const bson_t *doc;
	bson_error_t error;
	int r = 0;

	while (r == 0 && mongoc_cursor_next(cursor, &doc)) {
		_cleanup_(strbuf_done) struct strbuf id = STRBUF_INIT(0);
		const char *what = look(cs, doc);

		place->n_searched++;
		if (!what)
			continue;
		place->n_found++;
		add_id(doc, &id);
		r = erase_tell_find(
		    cs->g, &(struct erase_find){"MongoDB", place->where, strbuf_str(&id), what},
		    err);
	}
	if (r == 0 && mongoc_cursor_error(cursor, &error))
		r = mongo_error(err, &error, NULL, "searching the documents");
	return r;
}

static int search_collection(struct collection_search *cs, mongoc_collection_t *c, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(0);
	const struct mapping *m =
	    cs->is_ours ? mapping_set_find(cs->g->e->mappings, cs->name) : NULL;
	struct erase_place place = {.store = "MongoDB"};
	bson_t all = BSON_INITIALIZER;
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &all, NULL, NULL);
	int r;

	if (m)
		use_mapping(cs, m);
	strbuf_addf(&where, "%s.%s", cs->database, cs->name);
	place.where = strbuf_str(&where);
	r = read_documents(cs, cursor, &place, err);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&all);
	if (r == -ERR_PERMISSION && !cs->is_ours) {
		err_clear(err);
		return erase_tell_skip(cs->g, place.where, "the account may not read it", err);
	}
	return r < 0 ? err_context(err, "collection \"%s\"", cs->name)
		     : erase_tell(cs->g, &place, err);
}

static int search_database(const struct searching *g, mongoc_client_t *client, const char *name,
			   struct err *err)
{
	const bool is_ours = cstr_equal(name, mongo_database(g->e->mongo));
	mongoc_database_t *db = mongoc_client_get_database(client, name);
	bson_error_t error;
	char **names = mongoc_database_get_collection_names_with_opts(db, NULL, &error);
	int r = names ? 0 : mongo_error(err, &error, NULL, "listing the collections");

	for (size_t i = 0; names && names[i] && r == 0; i++) {
		mongoc_collection_t *c = mongoc_database_get_collection(db, names[i]);
		struct collection_search cs = {
		    .g = g, .database = name, .name = names[i], .is_ours = is_ours};

		if (strncmp(names[i], "system.", strlen("system.")) != 0)
			r = search_collection(&cs, c, err);
		mongoc_collection_destroy(c);
	}
	bson_strfreev(names);
	mongoc_database_destroy(db);
	if (r != -ERR_PERMISSION || is_ours)
		return r;
	err_clear(err);
	return erase_tell_skip(g, name, "the account may not list its collections", err);
}

/* What the server itself keeps there is no document of anybody; the oplog is named apart. */
static bool is_of_server(const char *name)
{
	return cstr_equal(name, "local") || cstr_equal(name, "config");
}

int erase_search_mongo(const struct searching *g, struct err *err)
{
	mongoc_client_t *client = mongo_pop(g->e->mongo);
	const char *ours = mongo_database(g->e->mongo);
	bson_error_t error;
	char **names;
	int r = search_database(g, client, ours, err);

	names = r == 0 ? mongoc_client_get_database_names_with_opts(client, NULL, &error) : NULL;
	if (r == 0 && !names)
		r = erase_tell_skip(g, "other databases of MongoDB", error.message, err);
	for (size_t i = 0; names && names[i] && r == 0; i++)
		if (!cstr_equal(names[i], ours) && !is_of_server(names[i]))
			r = search_database(g, client, names[i], err);
	bson_strfreev(names);
	mongo_push(g->e->mongo, client);
	return r;
}

/* --- the log of changes ---------------------------------------------------------------------- */

/* When the first or the last entry was written, in seconds; 0: there is none. */
static uint32_t read_end(mongoc_collection_t *c, int direction, bool *ret_failed)
{
	bson_t all = BSON_INITIALIZER,
	       *opts = BCON_NEW("sort", "{", "$natural", BCON_INT32(direction), "}", "limit",
				BCON_INT64(1), "projection", "{", "ts", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &all, opts, NULL);
	uint32_t seconds = 0, increment = 0;
	const bson_t *doc;
	bson_error_t error;
	bson_iter_t it;

	if (mongoc_cursor_next(cursor, &doc) && bson_iter_init_find(&it, doc, "ts") &&
	    BSON_ITER_HOLDS_TIMESTAMP(&it))
		bson_iter_timestamp(&it, &seconds, &increment);
	*ret_failed = *ret_failed || mongoc_cursor_error(cursor, &error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(&all);
	return seconds;
}

/* A server without it has no entry; of one that may not be read the time is not known. */
void erase_oplog(const struct eraser *e, json_t *ret)
{
	mongoc_client_t *client = mongo_pop(e->mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, "local", "oplog.rs");
	bool has_failed = false;
	uint32_t first = read_end(c, 1, &has_failed), last = read_end(c, -1, &has_failed);
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(0);

	mongoc_collection_destroy(c);
	mongo_push(e->mongo, client);
	if (!first && !has_failed)
		return;
	clock_format((int64_t)first * 1000000, from);
	clock_format((int64_t)last * 1000000, to);
	strbuf_addstr(&where, "MongoDB's log of changes (local.oplog.rs)");
	if (first && last)
		strbuf_addf(&where, ", now from %s to %s", from, to);
	json_array_append_new(ret, json_pack("{s:s,s:s}", "where", strbuf_str(&where), "until",
					     "newer changes take the place of older ones"));
}
