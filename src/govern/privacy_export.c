/*
 * All that is held on one subject: see privacy.h.
 *
 * Whose a row is, is said by the column of the subject's key or, where a table has none, by the key
 * of a row that is the subject's: the lines of an order. Such a key has one column, and either a
 * foreign key names it, or it is the key of nothing else: a product that somebody wishes for does
 * not make all that name the product theirs. The program's own tables say it in ways of their own:
 * by the entity and its key (findings, quarantine), by `subject`, by the account. The warehouse
 * knows people by a key that stands in one table.
 *
 * A document of a mapping says it by a field; of other collections each document is looked at: the
 * field of the subject's key, else their e-mail address, where it stands alone. One that is about
 * others, too, is counted and not given away.
 */
#include "govern/privacy_int.h"

#include "govern/audit.h"
#include "govern/govern_sql_int.h"
#include "shop/load.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

#include "base/banned.h"

#define STATEMENT_MAX	 ((size_t)1 << 20)
#define EVENTS_MAX	 100000 /* of the audit, the newest */
#define DEPTH_MAX	 100	/* MongoDB's own limit of a document */

#define ALIASES		 "Feed_Aliases" /* of a feed's keys, by src/shop */
#define WITNESS		 "rbac_audit"
#define WAREHOUSE_PEOPLE "Etl_Customers" /* in sql/warehouse: who has which key there */
#define WAREHOUSE_KEY	 "customer_key"

/* The program's own tables that say whose data a row is about. */
static const char *const by_subject[] = {"Erasures", "Legal_Holds", "Audit_Details"};

/* Columns that are not given away. */
static const struct left_out {
	const char *table, *column, *why;
} secrets[] = {
    {"Access_Tokens", "token_hash", "a secret: it proves who asks"},
    {"Audit_Details", "salt", "a secret: it hides from others whom the audit is about"},
    {"Erasures", "sought", "sealed; what it holds stands in the rows above"},
};

/* Where more of them stands, or may, that is not looked at. */
static const char *const beyond[][2] = {
    {"rows and documents of others, and of the shop's goods, that mention them",
     "they are not about them alone"},
    {"rows of a load that has not ended",
     "what became of them stands in the shop's tables when it has"},
    {"values of documents that are no text", "nothing says whose a picture or a file is"},
    {"index, vectors, cache of embeddings", "made of the rows and documents above"},
    {"the servers' own logs, binary logs, backups", "copies of what stands above"},
    {"other databases of the servers", "this shop does not know of them"},
};

/* The condition under which a row is theirs: `n` parameters, each the subject's key. */
struct whose {
	char *where; /* NULL: nothing says whose a row is */
	size_t n;
};

struct exporter {
	const struct privacy_export *x;
	json_t *rows, *warehouse; /* table to list */
	json_t *documents;	  /* collection to list */
	json_t *left_out;
	struct whose *whose; /* by the tables of the schema */
};

static void leave_out(struct exporter *e, char *what, const char *why)
{
	json_array_append_new(e->left_out, json_pack("{s:s,s:s}", "what", what, "why", why));
	mem_free(what);
}

/* --- rows ------------------------------------------------------------------------------------ */

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

static const char *why_secret(const char *table, const char *column)
{
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (cstr_equal(secrets[i].table, table) && cstr_equal(secrets[i].column, column))
			return secrets[i].why;
	return NULL;
}

static json_t *row_json(const struct schema_table *t, const struct maria_rows *rows)
{
	json_t *row = json_object();

	for (size_t i = 0; i < t->n_columns; i++)
		if (!why_secret(t->name, t->columns[i].name))
			json_object_set_new(
			    row, t->columns[i].name,
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

/* Rows of a table under a condition, of which the first parameters are `entity`, the rest the
 * subject's key. */
struct wanted {
	const struct schema_table *table;
	const char *database; /* NULL: the shop's */
	const char *where;
	const char *entity; /* NULL: no such parameter */
	size_t n_entity, n_subject;
	json_t *into;
};

static void add_select(const struct wanted *w, struct strbuf *sql)
{
	strbuf_addstr(sql, "SELECT ");
	for (size_t i = 0; i < w->table->n_columns; i++)
		MARIA_ADD(sql, i ? ", #" : "#", w->table->columns[i].name);
	strbuf_addstr(sql, " FROM ");
	if (w->database)
		MARIA_ADD(sql, "#.", w->database);
	maria_add_identifier(sql, w->table->name);
	strbuf_addf(sql, " WHERE %s", w->where);
}

static int ask(const struct exporter *e, const struct wanted *w, struct maria_rows **ret,
	       struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	size_t n = w->n_entity + w->n_subject;
	_cleanup_(mem_freep) struct maria_value *params = mem_alloc_array(n, sizeof(*params));
	int r;

	for (size_t i = 0; i < n; i++)
		params[i] = MARIA_S(i < w->n_entity ? w->entity : e->x->subject);
	add_select(w, &sql);
	r = strbuf_check(&sql, w->table->name, err);
	return r < 0 ? r : maria_query(e->x->m, strbuf_str(&sql), params, n, ret, err);
}

static int add_rows(const struct exporter *e, const struct wanted *w, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	json_t *list = json_object_get(w->into, w->table->name);
	bool is_new = !list;
	int r = ask(e, w, &rows, err);

	if (r < 0)
		return err_context(err, "exporting %s", w->table->name);
	if (is_new)
		list = json_array();
	while ((r = maria_rows_next(rows, err)) > 0) {
		if (is_new)
			json_array_append_new(list, row_json(w->table, rows));
		else
			add_row(list, row_json(w->table, rows));
	}
	if (!is_new)
		return r;
	if (json_array_size(list))
		json_object_set_new(w->into, w->table->name, list);
	else
		json_decref(list);
	return r;
}

/* --- whose a row is -------------------------------------------------------------------------- */

static bool has_key(const struct exporter *e, const struct schema_table *t)
{
	return !t->is_view && schema_find_column(t, e->x->a->subject_key);
}

/* The one column of its primary key; NULL: it has none, or several. */
static const char *single_key(const struct schema_table *t)
{
	const struct schema_index *key = t->is_view ? NULL : schema_primary_key(t);

	return key && key->n_columns == 1 ? key->columns[0]->name : NULL;
}

static bool refers(const struct schema_table *t, const char *column, const struct schema_table *to)
{
	for (size_t i = 0; i < t->n_foreign_keys; i++) {
		const struct schema_foreign_key *f = &t->foreign_keys[i];

		if (f->n_columns == 1 && cstr_equal(f->columns[0]->name, column) &&
		    cstr_equal(f->to_table, to->name))
			return true;
	}
	return false;
}

/* Adds "column names a row of `owner` that is theirs". */
static void add_way(struct whose *w, const char *column, const struct schema_table *owner,
		    const char *key, const struct whose *owners)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(STATEMENT_MAX);

	if (w->where)
		strbuf_addf(&b, "%s OR ", w->where);
	MARIA_ADD(&b, "# IN (SELECT # FROM #", column, key, owner->name);
	strbuf_addf(&b, " WHERE %s)", owners->where);
	mem_free(w->where);
	w->where = mem_strdup(strbuf_str(&b));
	w->n += owners->n;
}

/* By foreign keys to tables of which it was known before whose their rows are. */
static void add_foreign_keys(struct exporter *e, const struct schema_table *t, struct whose *w,
			     const struct whose *known)
{
	const struct schema *s = e->x->schema;

	for (size_t i = 0; i < t->n_foreign_keys; i++) {
		const struct schema_foreign_key *f = &t->foreign_keys[i];
		const struct schema_table *to = schema_find_table(s, f->to_table);
		const char *key = to ? single_key(to) : NULL;

		if (f->n_columns == 1 && key && cstr_equal(f->to_columns[0], key) &&
		    known[to - s->tables].where)
			add_way(w, f->columns[0]->name, to, key, &known[to - s->tables]);
	}
}

/* Another table of which it is the key, and which does not say whose its rows are; NULL: none. */
static const struct schema_table *other_with_key(const struct exporter *e, const char *key)
{
	const struct schema *s = e->x->schema;

	for (size_t i = 0; i < s->n_tables; i++) {
		const char *other = single_key(&s->tables[i]);

		if (other && cstr_equal(other, key) && !has_key(e, &s->tables[i]))
			return &s->tables[i];
	}
	return NULL;
}

/* Whether the rows are named by the column: their primary key begins with it, and has no subject,
 * as that of who wishes for what has. */
static bool is_named_by(const struct exporter *e, const struct schema_table *t, const char *column)
{
	const struct schema_index *key = schema_primary_key(t);

	if (!key || !cstr_equal(key->columns[0]->name, column))
		return false;
	for (size_t i = 0; i < key->n_columns; i++)
		if (cstr_equal(key->columns[i]->name, e->x->a->subject_key))
			return false;
	return true;
}

/* By a column without a foreign key that is called as the key of their rows: of orders, live and
 * archived. */
static void add_names(struct exporter *e, const struct schema_table *t, const char *key)
{
	const struct schema *s = e->x->schema;

	if (t->is_view || has_key(e, t) || !schema_find_column(t, key))
		return;
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct schema_table *owner = &s->tables[i];

		if (has_key(e, owner) && is_named_by(e, owner, key) && !refers(t, key, owner))
			add_way(&e->whose[t - s->tables], key, owner, key, &e->whose[i]);
	}
}

static bool is_first_with_key(const struct exporter *e, size_t table, const char *key)
{
	const struct schema *s = e->x->schema;

	for (size_t i = 0; i < table; i++) {
		const char *other = single_key(&s->tables[i]);

		if (other && cstr_equal(other, key) && has_key(e, &s->tables[i]))
			return false;
	}
	return true;
}

static bool has_foreign_key(const struct schema_table *t, const char *column)
{
	for (size_t i = 0; i < t->n_foreign_keys; i++)
		if (t->foreign_keys[i].n_columns == 1 &&
		    cstr_equal(t->foreign_keys[i].columns[0]->name, column))
			return true;
	return false;
}

/* A table that may mean theirs by a key that others have, too. */
static void tell_unclear(struct exporter *e, const struct schema_table *t, const char *key)
{
	const char *own = single_key(t);

	if (!t->is_view && !has_key(e, t) && schema_find_column(t, key) &&
	    !has_foreign_key(t, key) && !schema_find_column(t, "entity_key") &&
	    !(own && cstr_equal(own, key)))
		leave_out(e, mem_printf("rows of %s by \"%s\" alone", t->name, key),
			  "it is the key of more than one kind of thing");
}

static void find_named(struct exporter *e)
{
	const struct schema *s = e->x->schema;

	for (size_t i = 0; i < s->n_tables; i++) {
		const char *key = has_key(e, &s->tables[i]) ? single_key(&s->tables[i]) : NULL;
		const struct schema_table *other = key ? other_with_key(e, key) : NULL;

		if (!key || cstr_equal(key, e->x->a->subject_key) || !is_first_with_key(e, i, key))
			continue;
		for (size_t j = 0; j < s->n_tables; j++) {
			if (other)
				tell_unclear(e, &s->tables[j], key);
			else
				add_names(e, &s->tables[j], key);
		}
	}
}

/* First by the subject's key, then from there by one reference after the other. */
static void find_whose(struct exporter *e)
{
	const struct schema *s = e->x->schema;
	_cleanup_(mem_freep) struct whose *known = mem_alloc_array(s->n_tables, sizeof(*known));
	_cleanup_(strbuf_done) struct strbuf own = STRBUF_INIT(1024);
	bool goes_on = true;

	MARIA_ADD(&own, "# = ?", e->x->a->subject_key);
	for (size_t i = 0; i < s->n_tables; i++)
		if (has_key(e, &s->tables[i]))
			e->whose[i] = (struct whose){mem_strdup(strbuf_str(&own)), 1};
	memcpy(known, e->whose, s->n_tables * sizeof(*known));
	find_named(e);
	while (goes_on) {
		goes_on = false;
		for (size_t i = 0; i < s->n_tables; i++)
			if (!known[i].where && !s->tables[i].is_view)
				add_foreign_keys(e, &s->tables[i], &e->whose[i], known);
		for (size_t i = 0; i < s->n_tables; i++)
			goes_on = goes_on || (e->whose[i].where && !known[i].where);
		memcpy(known, e->whose, s->n_tables * sizeof(*known));
	}
}

static int export_rows(struct exporter *e, struct err *err)
{
	const struct schema *s = e->x->schema;
	int r = 0;

	find_whose(e);
	for (size_t i = 0; i < s->n_tables && r == 0; i++)
		if (e->whose[i].where)
			r = add_rows(e,
				     &(struct wanted){.table = &s->tables[i],
						      .where = e->whose[i].where,
						      .n_subject = e->whose[i].n,
						      .into = e->rows},
				     err);
	return r;
}

/* --- what is noted of their rows ------------------------------------------------------------- */

/* Rows of theirs under the name that notes have for their kind, and the query of their keys. */
struct noted {
	const char *entity;
	const char *keys; /* SELECT ... */
	size_t n_entity, n_subject;
};

/* Their keys as texts in the collation of the column that they are compared with, so that its index
 * is used. */
static void add_keys(struct strbuf *b, const struct noted *n, const struct schema_column *c)
{
	strbuf_addstr(b, " IN (SELECT CONVERT(named.k USING ");
	strbuf_addstr(b, c->charset ? c->charset : "utf8mb4");
	strbuf_addstr(b, ")");
	if (c->collation)
		strbuf_addf(b, " COLLATE %s", c->collation);
	strbuf_addf(b, " FROM (%s) named)", n->keys);
}

/* Findings, quarantine, samples: any table that names rows by `entity` and `entity_key`. */
static int export_notes(struct exporter *e, const struct noted *n, const char *column,
			struct err *err)
{
	const struct schema *s = e->x->schema;
	int r = 0;

	for (size_t i = 0; i < s->n_tables && r == 0; i++) {
		const struct schema_column *c = schema_find_column(&s->tables[i], column);
		_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(STATEMENT_MAX);

		if (s->tables[i].is_view || !c || !schema_find_column(&s->tables[i], "entity"))
			continue;
		MARIA_ADD(&where, "entity = ? AND #", column);
		add_keys(&where, n, c);
		r = add_rows(e,
			     &(struct wanted){.table = &s->tables[i],
					      .where = strbuf_str(&where),
					      .entity = n->entity,
					      .n_entity = n->n_entity + 1,
					      .n_subject = n->n_subject,
					      .into = e->rows},
			     err);
	}
	return r;
}

/* The primary key as checks of quality write it: parts joined by ":". */
static bool add_primary_key(const struct schema_table *t, struct strbuf *b)
{
	const struct schema_index *key = schema_primary_key(t);

	if (!key)
		return false;
	strbuf_addstr(b, "SELECT CONCAT_WS(':'");
	for (size_t i = 0; i < key->n_columns; i++)
		MARIA_ADD(b, ", #", key->columns[i]->name);
	MARIA_ADD(b, ") AS k FROM #", t->name);
	return true;
}

/* By the name of their table, and of the collection that is made of it. */
static int export_by_key(struct exporter *e, const struct schema_table *t, const struct whose *w,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf keys = STRBUF_INIT(STATEMENT_MAX);
	struct noted n = {.entity = t->name, .n_subject = w->n};
	int r;

	if (!add_primary_key(t, &keys))
		return 0;
	strbuf_addf(&keys, " WHERE %s", w->where);
	n.keys = strbuf_str(&keys);
	r = export_notes(e, &n, "entity_key", err);
	for (size_t i = 0; i < e->x->mappings->len && r == 0; i++) {
		const struct mapping *m = e->x->mappings->items[i];

		n.entity = mapping_collection(m);
		if (cstr_equal(mapping_root_table(m), t->name))
			r = export_notes(e, &n, "entity_key", err);
	}
	return r;
}

/* By the keys that a feed had for them, those of duplicates too. */
static int export_by_feed(struct exporter *e, const struct schema_table *t, const struct whose *w,
			  enum load_entity_id id, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf keys = STRBUF_INIT(STATEMENT_MAX),
					     own = STRBUF_INIT(STATEMENT_MAX),
					     aliases = STRBUF_INIT(STATEMENT_MAX);
	struct noted n = {.entity = load_entity_name(id), .n_subject = w->n};
	const char *column = load_entity_key(id), *key = single_key(t);
	int r = 0;

	if (column && schema_find_column(t, column)) {
		MARIA_ADD(&keys, "SELECT # AS k FROM #", column, t->name);
		strbuf_addf(&keys, " WHERE (%s) AND ", w->where);
		MARIA_ADD(&keys, "# IS NOT NULL", column);
		n.keys = strbuf_str(&keys);
		r = export_notes(e, &n, "entity_key", err);
	}
	if (r < 0 || !key || !schema_find_table(e->x->schema, ALIASES))
		return r;
	MARIA_ADD(&own, "SELECT # AS k FROM #", key, t->name);
	strbuf_addf(&own, " WHERE %s", w->where);
	n.keys = strbuf_str(&own);
	r = export_notes(e, &n, "target_id", err);
	strbuf_addf(&aliases,
		    "SELECT external_id AS k FROM " ALIASES " WHERE entity = ? AND target_id IN "
		    "(SELECT own.k FROM (%s) own)",
		    strbuf_str(&own));
	n.keys = strbuf_str(&aliases);
	n.n_entity = 1;
	return r < 0 ? r : export_notes(e, &n, "entity_key", err);
}

static int export_noted(struct exporter *e, struct err *err)
{
	const struct schema *s = e->x->schema;
	int r = 0;

	for (size_t i = 0; i < s->n_tables && r == 0; i++) {
		if (!e->whose[i].where)
			continue;
		r = export_by_key(e, &s->tables[i], &e->whose[i], err);
		for (int id = 0; load_entity_name((enum load_entity_id)id) && r == 0; id++)
			if (cstr_equal(load_entity_table((enum load_entity_id)id),
				       s->tables[i].name))
				r = export_by_feed(e, &s->tables[i], &e->whose[i],
						   (enum load_entity_id)id, err);
	}
	return r;
}

/* --- the program's own tables ---------------------------------------------------------------- */

static int export_by_subject(struct exporter *e, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(by_subject) && r == 0; i++) {
		const struct schema_table *t = schema_find_table(e->x->schema, by_subject[i]);

		if (t)
			r = add_rows(e,
				     &(struct wanted){.table = t,
						      .where = "subject = ?",
						      .n_subject = 1,
						      .into = e->rows},
				     err);
	}
	return r;
}

/* What their accounts did, as the server saw it. */
static int export_witnessed(struct exporter *e, struct err *err)
{
	const struct schema_table *t = schema_find_table(e->x->schema, WITNESS);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	json_t *accounts = json_array(), *account;
	size_t i;
	int r = 0;

	if (t)
		r = maria_query(e->x->m, govern_sql_privacy_accounts,
				MARIA_ARGS(MARIA_S(e->x->subject)), &rows, err);
	while (rows && r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		json_array_append_new(accounts, json_string(maria_rows_str(rows, 0).data));
	rows = maria_rows_close(rows);
	json_array_foreach(accounts, i, account)
	{
		if (r == 0)
			r = add_rows(e,
				     &(struct wanted){.table = t,
						      .where = "user_name = ?",
						      .entity = json_string_value(account),
						      .n_entity = 1,
						      .into = e->rows},
				     err);
	}
	json_decref(accounts);
	return r;
}

static int export_from_warehouse(struct exporter *e, const struct schema *s,
				 const struct schema_table *t, const char *column, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(STATEMENT_MAX);

	if (cstr_equal(column, WAREHOUSE_KEY))
		MARIA_ADD(&where,
			  "# IN (SELECT " WAREHOUSE_KEY " FROM #." WAREHOUSE_PEOPLE " WHERE # = ?)",
			  column, s->database, e->x->a->subject_key);
	else
		MARIA_ADD(&where, "# = ?", column);
	return add_rows(e,
			&(struct wanted){.table = t,
					 .database = s->database,
					 .where = strbuf_str(&where),
					 .n_subject = 1,
					 .into = e->warehouse},
			err);
}

/* One that was never made has no table. */
static int export_warehouse(struct exporter *e, struct err *err)
{
	_cleanup_(schema_freep) struct schema *s = NULL;
	const struct schema_table *people;
	bool is_known;
	int r = schema_load(e->x->m, e->x->warehouse, &s, err);

	if (r < 0)
		return r;
	people = schema_find_table(s, WAREHOUSE_PEOPLE);
	is_known = people && has_key(e, people);
	for (size_t i = 0; i < s->n_tables && r == 0; i++) {
		const struct schema_table *t = &s->tables[i];

		if (has_key(e, t))
			r = export_from_warehouse(e, s, t, e->x->a->subject_key, err);
		else if (is_known && !t->is_view && schema_find_column(t, WAREHOUSE_KEY))
			r = export_from_warehouse(e, s, t, WAREHOUSE_KEY, err);
	}
	return r;
}

/* --- documents ------------------------------------------------------------------------------- */

static void add_document(struct exporter *e, const char *collection, const bson_t *doc)
{
	json_t *list = json_object_get(e->documents, collection);
	char *text = bson_as_relaxed_extended_json(doc, NULL);

	if (!list) {
		list = json_array();
		json_object_set_new(e->documents, collection, list);
	}
	json_array_append_new(list, text ? json_loads(text, 0, NULL) : json_null());
	bson_free(text);
}

struct document_filter {
	bson_t ways; /* of $or */
	uint32_t n;
};

static void add_condition(struct document_filter *f, const char *field, const char *subject)
{
	char number[16];
	const char *index;
	bson_t way;
	struct err not_a_number = {0};
	int64_t n;

	(void)bson_uint32_to_string(f->n++, &index, number, sizeof(number));
	BSON_APPEND_DOCUMENT_BEGIN(&f->ways, index, &way);
	BSON_APPEND_UTF8(&way, field, subject);
	bson_append_document_end(&f->ways, &way);
	if (parse_int64(str_from(subject), INT64_MIN, INT64_MAX, &n, &not_a_number) < 0)
		return;
	(void)bson_uint32_to_string(f->n++, &index, number, sizeof(number));
	BSON_APPEND_DOCUMENT_BEGIN(&f->ways, index, &way);
	BSON_APPEND_INT64(&way, field, n);
	bson_append_document_end(&f->ways, &way);
}

/* Those that say whose they are by a field of the mapping, by one called like the key, or by their
 * _id. */
static void find_mapped(const struct exporter *e, const struct mapping *m, bson_t *filter)
{
	const struct access *a = e->x->a;
	struct document_filter f = {.ways = BSON_INITIALIZER};
	const char *owner = privacy_owner_field(a, m);

	add_condition(&f, a->subject_key, e->x->subject);
	if (owner && !cstr_equal(owner, a->subject_key))
		add_condition(&f, owner, e->x->subject);
	if (cstr_equal(mapping_root_table(m), a->subject_table) &&
	    cstr_equal(mapping_key_column(m, 0), a->subject_key) && !mapping_key_column(m, 1))
		add_condition(&f, "_id", e->x->subject);
	BSON_APPEND_ARRAY(filter, "$or", &f.ways);
	bson_destroy(&f.ways);
}

/* Of what a document says of whom it is about. */
enum about {
	ABOUT_THEM = 1 << 0,   /* their key, or their e-mail address alone */
	ABOUT_OTHERS = 1 << 1, /* the key of somebody else */
	ABOUT_MANY = 1 << 2,   /* theirs in a list or in the middle of a text */
};

static bool is_in_address(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._%+-", c));
}

/* Whether the address stands in the text as a whole, whatever its case. */
static bool has_address(const char *text, const char *address)
{
	size_t len = strlen(address);

	for (const char *at = text; len && (at = strcasestr(at, address)); at++) {
		const char *end = at + len;

		if ((at == text || !is_in_address(at[-1])) && !isalnum((unsigned char)*end) &&
		    *end != '-' && !(*end == '.' && isalnum((unsigned char)end[1])))
			return true;
	}
	return false;
}

static unsigned about_text(const char *text, const json_t *addresses)
{
	const char *at = strchr(text, '@');
	size_t i;
	json_t *address;

	json_array_foreach(addresses, i, address)
	{
		if (at && has_address(text, json_string_value(address)))
			return strchr(at + 1, '@') ? ABOUT_MANY : ABOUT_THEM;
	}
	return 0;
}

/* 0: the value is no key. */
static unsigned about_key(const bson_iter_t *it, const char *subject)
{
	char text[32] = "";

	if (BSON_ITER_HOLDS_UTF8(it))
		return cstr_equal(bson_iter_utf8(it, NULL), subject) ? ABOUT_THEM : ABOUT_OTHERS;
	if (!BSON_ITER_HOLDS_NUMBER(it))
		return 0;
	if (BSON_ITER_HOLDS_DOUBLE(it))
		(void)snprintf(text, sizeof(text), "%.0f", bson_iter_double(it));
	else
		(void)snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(it));
	return cstr_equal(text, subject) ? ABOUT_THEM : ABOUT_OTHERS;
}

static unsigned about_fields(const struct exporter *e, bson_iter_t *it, const json_t *addresses,
			     int depth)
{
	unsigned all = 0;

	while (bson_iter_next(it)) {
		bson_iter_t below;
		unsigned about = 0;

		if (cstr_equal(bson_iter_key(it), e->x->a->subject_key))
			about = about_key(it, e->x->subject);
		else if (BSON_ITER_HOLDS_UTF8(it))
			about = about_text(bson_iter_utf8(it, NULL), addresses);
		else if ((BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it)) &&
			 depth < DEPTH_MAX && bson_iter_recurse(it, &below))
			about = about_fields(e, &below, addresses, depth + 1);
		if (BSON_ITER_HOLDS_ARRAY(it) && about)
			about = ABOUT_MANY;
		all |= about;
	}
	return all;
}

/* Its own field of the key says it, whatever else is in it. */
static unsigned about_whom(const struct exporter *e, const bson_t *doc, const json_t *addresses)
{
	bson_iter_t it;
	unsigned about =
	    bson_iter_init_find(&it, doc, e->x->a->subject_key) ? about_key(&it, e->x->subject) : 0;

	if (about == ABOUT_THEM)
		return about;
	return bson_iter_init(&it, doc) ? about_fields(e, &it, addresses, 0) : 0;
}

/* Of what no mapping makes, each document is read. */
static int export_collection(struct exporter *e, mongoc_collection_t *c, const json_t *addresses,
			     struct err *err)
{
	const char *name = mongoc_collection_get_name(c);
	const struct mapping *m = mapping_set_find(e->x->mappings, name);
	bson_t filter = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	uint64_t n_shared = 0;
	const bson_t *doc;
	bson_error_t error;
	int r = 0;

	if (m)
		find_mapped(e, m, &filter);
	cursor = mongoc_collection_find_with_opts(c, &filter, NULL, NULL);
	while (mongoc_cursor_next(cursor, &doc)) {
		unsigned about = m ? ABOUT_THEM : about_whom(e, doc, addresses);

		if (about == ABOUT_THEM)
			add_document(e, name, doc);
		else
			n_shared += (about & (ABOUT_THEM | ABOUT_MANY)) != 0;
	}
	if (mongoc_cursor_error(cursor, &error))
		r = mongo_error(err, &error, NULL, "exporting the documents");
	if (n_shared)
		leave_out(e, mem_printf("documents of %s: %" PRIu64, name, n_shared),
			  "they tell of them among others");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	return r < 0 ? err_context(err, "collection \"%s\"", name) : 0;
}

/* Their addresses, from the rows that were exported. The caller owns the list. */
static json_t *read_addresses(const struct exporter *e)
{
	const char *table = e->x->a->subject_table, *column;
	json_t *addresses = json_array(), *row, *value;
	size_t i;

	json_array_foreach(json_object_get(e->rows, table), i, row)
	{
		json_object_foreach(row, column, value)
		{
			const char *pii = access_class(e->x->a, table, column);

			if (pii && cstr_equal(pii, "email") && json_is_string(value))
				json_array_append(addresses, value);
		}
	}
	return addresses;
}

static int export_documents(struct exporter *e, struct err *err)
{
	mongoc_client_t *client = mongo_pop(e->x->mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, mongo_database(e->x->mongo));
	json_t *addresses = read_addresses(e);
	char **names = NULL;
	int r = privacy_collections(db, &names, err);

	for (size_t i = 0; r == 0 && names[i]; i++) {
		mongoc_collection_t *c = mongoc_database_get_collection(db, names[i]);

		r = export_collection(e, c, addresses, err);
		mongoc_collection_destroy(c);
	}
	privacy_collections_free(names);
	json_decref(addresses);
	mongoc_database_destroy(db);
	mongo_push(e->x->mongo, client);
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

/* What is not in it, and why. */
static void tell_left_out(struct exporter *e)
{
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		leave_out(e, mem_printf("%s.%s", secrets[i].table, secrets[i].column),
			  secrets[i].why);
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++)
		leave_out(e, mem_strdup(beyond[i][0]), beyond[i][1]);
}

static int export_all(struct exporter *e, json_t *seen, struct err *err)
{
	static int (*const parts[])(struct exporter * e, struct err * err) = {
	    export_rows,      export_noted,	export_by_subject,
	    export_witnessed, export_warehouse, export_documents,
	};
	int r = privacy_check_subject(e->x->a, e->x->m, e->x->subject, err);

	for (size_t i = 0; i < ARRAY_LEN(parts) && r == 0; i++)
		r = parts[i](e, err);
	tell_left_out(e);
	return r < 0 ? r : audit_list(e->x->m, e->x->subject, EVENTS_MAX, add_event, seen, err);
}

int privacy_export(const struct privacy_export *x, json_t **ret, struct err *err)
{
	size_t n = x->schema->n_tables;
	struct exporter e = {.x = x,
			     .rows = json_object(),
			     .warehouse = json_object(),
			     .documents = json_object(),
			     .left_out = json_array(),
			     .whose = mem_alloc_array(n, sizeof(*e.whose))};
	json_t *seen = json_array();
	json_t *all = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "subject", x->subject, "kind",
				x->a->subject_table ? x->a->subject_table : "", "rows", e.rows,
				"warehouse", e.warehouse, "documents", e.documents, "seen_by", seen,
				"not_included", e.left_out);
	int r;

	r = export_all(&e, seen, err);
	for (size_t i = 0; i < n; i++)
		mem_free(e.whose[i].where);
	mem_free(e.whose);
	if (r == 0)
		*ret = all;
	else
		json_decref(all);
	return r;
}
