/*
 * All that is held on one subject: see privacy.h.
 *
 * Rows belong to a subject by the column of its key, or to such a row: a table without that column
 * whose rows name the primary key of one that has it (the lines of an order) is exported with it.
 */
#include "govern/privacy.h"

#include "govern/audit.h"

#include <inttypes.h>
#include <strings.h>

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)1 << 20)
#define EVENTS_MAX    100000 /* of the audit, the newest */

struct exporter {
	const struct privacy_export *x;
	json_t *rows; /* table to list */
};

static json_t *value_json(enum schema_type type, struct str s)
{
	if (!s.data)
		return json_null();
	if (type == SCHEMA_BYTES || !utf8_is_valid(s.data, s.len)) {
		char *hex = mem_alloc(2 * s.len + 1);
		json_t *text;

		hex[0] = '\0';
		for (size_t i = 0; i < s.len; i++)
			(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)s.data[i]);
		text = json_string(hex);
		mem_free(hex);
		return text;
	}
	return json_stringn(s.data, s.len);
}

static json_t *row_json(const struct schema_table *t, const struct maria_rows *rows)
{
	json_t *row = json_object();

	for (size_t i = 0; i < t->n_columns; i++)
		json_object_set_new(row, t->columns[i].name,
				    value_json(t->columns[i].type, maria_rows_str(rows, i)));
	return row;
}

/* A row that two ways lead to is exported once. */
static void add_row(json_t *list, json_t *steal)
{
	size_t i;
	json_t *known;

	json_array_foreach(list, i, known)
	{
		if (json_equal(known, steal)) {
			json_decref(steal);
			return;
		}
	}
	json_array_append_new(list, steal);
}

static void add_select(const struct schema_table *t, struct strbuf *sql)
{
	strbuf_addstr(sql, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		strbuf_addstr(sql, i ? ", t." : "t.");
		maria_add_identifier(sql, t->columns[i].name);
	}
	strbuf_addstr(sql, " FROM ");
	maria_add_identifier(sql, t->name);
	strbuf_addstr(sql, " t WHERE t.");
}

static int add_rows(struct exporter *e, const struct schema_table *t, const struct strbuf *sql,
		    struct err *err)
{
	const struct maria_value params[] = {MARIA_S(e->x->subject)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	json_t *list = json_object_get(e->rows, t->name);
	bool is_new = !list;
	int r = strbuf_check(sql, t->name, err);

	if (r == 0)
		r = maria_query(e->x->m, strbuf_str(sql), params, ARRAY_LEN(params), &rows, err);
	if (r < 0)
		return err_context(err, "exporting %s", t->name);
	if (is_new)
		list = json_array();
	while ((r = maria_rows_next(rows, err)) > 0) {
		if (is_new)
			json_array_append_new(list, row_json(t, rows));
		else
			add_row(list, row_json(t, rows));
	}
	if (!is_new)
		return r;
	if (json_array_size(list))
		json_object_set_new(e->rows, t->name, list);
	else
		json_decref(list);
	return r;
}

static int export_own(struct exporter *e, const struct schema_table *t, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);

	add_select(t, &sql);
	maria_add_identifier(&sql, e->x->a->subject_key);
	strbuf_addstr(&sql, " = ?");
	return add_rows(e, t, &sql, err);
}

/* Rows of `t` that name a row of `owner`. */
static int export_below(struct exporter *e, const struct schema_table *t,
			const struct schema_table *owner, const char *column, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);

	add_select(t, &sql);
	maria_add_identifier(&sql, column);
	strbuf_addstr(&sql, " IN (SELECT o.");
	maria_add_identifier(&sql, column);
	strbuf_addstr(&sql, " FROM ");
	maria_add_identifier(&sql, owner->name);
	strbuf_addstr(&sql, " o WHERE o.");
	maria_add_identifier(&sql, e->x->a->subject_key);
	strbuf_addstr(&sql, " = ?)");
	return add_rows(e, t, &sql, err);
}

static bool is_own(const struct exporter *e, const struct schema_table *t)
{
	return !t->is_view && schema_find_column(t, e->x->a->subject_key);
}

static int export_all_below(struct exporter *e, const struct schema_table *owner, struct err *err)
{
	const struct schema_index *key = schema_primary_key(owner);
	const struct schema *s = e->x->schema;
	int r = 0;

	if (!key || cstr_equal(key->columns[0]->name, e->x->a->subject_key))
		return 0;
	for (size_t i = 0; i < s->n_tables && r == 0; i++) {
		const struct schema_table *t = &s->tables[i];

		if (!t->is_view && !is_own(e, t) && schema_find_column(t, key->columns[0]->name))
			r = export_below(e, t, owner, key->columns[0]->name, err);
	}
	return r;
}

static int export_rows(struct exporter *e, struct err *err)
{
	const struct schema *s = e->x->schema;
	int r = 0;

	for (size_t i = 0; i < s->n_tables && r == 0; i++)
		if (is_own(e, &s->tables[i]))
			r = export_own(e, &s->tables[i], err);
	for (size_t i = 0; i < s->n_tables && r == 0; i++)
		if (is_own(e, &s->tables[i]))
			r = export_all_below(e, &s->tables[i], err);
	return r;
}

/* --- documents ------------------------------------------------------------------------------- */

static int export_found(mongoc_cursor_t *cursor, json_t *list, struct err *err)
{
	const bson_t *doc;
	bson_error_t error;

	while (mongoc_cursor_next(cursor, &doc)) {
		char *text = bson_as_relaxed_extended_json(doc, NULL);

		json_array_append_new(list, text ? json_loads(text, 0, NULL) : json_null());
		bson_free(text);
	}
	return mongoc_cursor_error(cursor, &error)
		   ? mongo_error(err, &error, NULL, "exporting the documents")
		   : 0;
}

static int export_collection(const struct privacy_export *x, mongoc_client_t *client,
			     const struct mapping *m, json_t *documents, struct err *err)
{
	const char *name = mapping_collection(m), *field = privacy_owner_field(x->a, m);
	mongoc_collection_t *c;
	mongoc_cursor_t *cursor;
	bson_t filter = BSON_INITIALIZER;
	json_t *list;
	struct err not_a_number = {0};
	int64_t number;
	int r;

	if (!field || !mapping_has_target(m))
		return 0;
	if (parse_int64(str_from(x->subject), INT64_MIN, INT64_MAX, &number, &not_a_number) == 0)
		BSON_APPEND_INT64(&filter, field, number);
	else
		BSON_APPEND_UTF8(&filter, field, x->subject);
	c = mongoc_client_get_collection(client, mongo_database(x->mongo), name);
	cursor = mongoc_collection_find_with_opts(c, &filter, NULL, NULL);
	list = json_array();
	r = export_found(cursor, list, err);
	json_object_set_new(documents, name, list);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(c);
	bson_destroy(&filter);
	return r;
}

static int export_documents(const struct privacy_export *x, json_t *documents, struct err *err)
{
	mongoc_client_t *client = mongo_pop(x->mongo);
	int r = 0;

	for (size_t i = 0; i < x->mappings->len && r == 0; i++)
		r = export_collection(x, client, x->mappings->items[i], documents, err);
	mongo_push(x->mongo, client);
	return r;
}

/* --- who saw it ------------------------------------------------------------------------------ */

static int add_event(void *arg, const struct audit_row *row, struct err *err)
{
	(void)err;
	json_array_append_new(arg, json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "at", row->happened_at,
					     "actor", row->actor, "role", row->role, "action",
					     row->action, "purpose", row->purpose, "rows",
					     (json_int_t)row->rows));
	return 0;
}

int privacy_export(const struct privacy_export *x, json_t **ret, struct err *err)
{
	struct exporter e = {.x = x, .rows = json_object()};
	json_t *documents = json_object(), *seen = json_array();
	json_t *all = json_pack("{s:s,s:s,s:o,s:o,s:o}", "subject", x->subject, "kind",
				x->a->subject_table ? x->a->subject_table : "", "rows", e.rows,
				"documents", documents, "seen_by", seen);
	int r = privacy_check_subject(x->a, x->m, x->subject, err);

	if (r == 0)
		r = export_rows(&e, err);
	if (r == 0)
		r = export_documents(x, documents, err);
	if (r == 0)
		r = audit_list(x->m, x->subject, EVENTS_MAX, add_event, seen, err);
	if (r == 0)
		*ret = all;
	else
		json_decref(all);
	return r;
}
