/*
 * Searching every store for what is left of a person: see erase.h.
 *
 * Here is what the stores share, and MariaDB: each column of each base table of each database that
 * the account sees is read and looked through here, so that one comparison holds for all stores.
 * The others are erase_search_mongo.c, erase_search_files.c and erase_search_index.c.
 *
 * Whose a row is counts in the shop's database only: in another one a column of that name may
 * number other people.
 */
#include "govern/erase_int.h"

#include "govern/govern_sql_int.h"

#include "base/banned.h"

#define KEY_MAX	    200 /* bytes of a key that is told */
#define HIDDEN_KEY  "(a text of theirs)"
#define NAMELESS    "nameless" /* what a procedure says of rows that stay */
#define COLUMNS_MAX 4096

int erase_tell(const struct searching *g, const struct erase_place *p, struct err *err)
{
	return g->s->on_place ? g->s->on_place(g->s->arg, p, err) : 0;
}

int erase_tell_find(const struct searching *g, const struct erase_find *f, struct err *err)
{
	struct erase_find told = *f;

	if (!g->s->on_find)
		return 0;
	erase_match_begin(g->match, ERASE_LINE);
	if (erase_match_look(g->match, str_from(f->key)) != ERASE_NONE)
		told.key = HIDDEN_KEY;
	return g->s->on_find(g->s->arg, &told, err);
}

int erase_tell_skip(const struct searching *g, const char *where, const char *why, struct err *err)
{
	return g->s->on_skip ? g->s->on_skip(g->s->arg, where, why, err) : 0;
}

bool erase_is_kept(const struct erase_search *s, const char *table)
{
	size_t i;
	json_t *receipt;

	json_array_foreach(s->receipts, i, receipt)
	{
		const char *where = json_string_value(json_object_get(receipt, "where"));
		const char *what = json_string_value(json_object_get(receipt, "what"));

		if (where && what && cstr_equal(where, table) && strstr(what, NAMELESS))
			return true;
	}
	return false;
}

/* --- MariaDB --------------------------------------------------------------------------------- */

struct table_search {
	const struct searching *g;
	const char *database;
	const struct schema_table *table;
	const struct schema_index *key;
	size_t n_columns; /* that are looked through, behind owner and key */
	bool has_owner;	  /* the shop's, with the subject's key */
	bool is_kept;
};

static bool is_key_of_others(const struct schema_table *t, const struct schema_column *c)
{
	for (size_t i = 0; i < t->n_foreign_keys; i++)
		for (size_t j = 0; j < t->foreign_keys[i].n_columns; j++)
			if (t->foreign_keys[i].columns[j] == c)
				return true;
	return false;
}

static bool is_in(const struct schema_index *index, const struct schema_column *c)
{
	for (size_t i = 0; index && i < index->n_columns; i++)
		if (index->columns[i] == c)
			return true;
	return false;
}

/* A whole number that may be a telephone's, and not one that counts rows. */
static bool may_be_phone(const struct table_search *ts, const struct schema_column *c)
{
	size_t len = strlen(c->sql_type);

	if (is_in(ts->key, c) || is_key_of_others(ts->table, c) ||
	    cstr_equal(c->name, ts->g->e->a->subject_key))
		return false;
	if (c->type == SCHEMA_DECIMAL)
		return len > 3 && strstr(c->sql_type, ",0)");
	return cstr_equal(c->data_type, "bigint") || cstr_equal(c->data_type, "int");
}

static bool is_searched(const struct table_search *ts, const struct schema_column *c)
{
	switch (c->type) {
	case SCHEMA_TEXT:
	case SCHEMA_JSON:
	case SCHEMA_BYTES:
		return true;
	case SCHEMA_INT:
	case SCHEMA_DECIMAL:
		return may_be_phone(ts, c);
	case SCHEMA_DOUBLE:
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
	case SCHEMA_OTHER:
	default:
		return false;
	}
}

static void add_columns(struct table_search *ts, struct strbuf *sql)
{
	const struct schema_table *t = ts->table;

	strbuf_addstr(sql, "SELECT ");
	if (ts->has_owner)
		maria_add_identifier(sql, ts->g->e->a->subject_key);
	else
		strbuf_addstr(sql, "NULL");
	for (size_t i = 0; ts->key && i < ts->key->n_columns; i++) {
		strbuf_addstr(sql, ", ");
		maria_add_identifier(sql, ts->key->columns[i]->name);
	}
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_searched(ts, &t->columns[i]))
			continue;
		ts->n_columns++;
		strbuf_addstr(sql, ", ");
		maria_add_identifier(sql, t->columns[i].name);
	}
	strbuf_addstr(sql, " FROM ");
	maria_add_identifier(sql, ts->database);
	strbuf_addch(sql, '.');
	maria_add_identifier(sql, t->name);
}

static const char *look_at_row(const struct table_search *ts, const struct maria_rows *rows)
{
	const size_t first = 1 + (ts->key ? ts->key->n_columns : 0);
	struct str owner = maria_rows_str(rows, 0);
	enum erase_kind found = ERASE_NONE;

	if (owner.data && !ts->is_kept && str_equal(owner, str_from(ts->g->s->subject)))
		return "theirs";
	erase_match_begin(ts->g->match, ERASE_VALUES);
	for (size_t i = 0; i < ts->n_columns && found == ERASE_NONE; i++)
		found = erase_match_look(ts->g->match, maria_rows_str(rows, first + i));
	return found == ERASE_NONE ? NULL : erase_kind_name(found);
}

/* "15", "a:b"; bytes in which a terminal would see something else are escapes. */
static void add_key(const struct table_search *ts, const struct maria_rows *rows, struct strbuf *b)
{
	for (size_t i = 0; ts->key && i < ts->key->n_columns; i++) {
		struct str part = maria_rows_str(rows, 1 + i);

		strbuf_addstr(b, i ? ":" : "");
		strbuf_add_visible(b, part.data, part.len < KEY_MAX ? part.len : KEY_MAX);
	}
}

static int search_rows(const struct table_search *ts, const char *sql, const char *where,
		       struct erase_place *place, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(ts->g->e->m, sql, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		_cleanup_(strbuf_done) struct strbuf key = STRBUF_INIT(0);
		const char *what = look_at_row(ts, rows);

		place->n_searched++;
		if (!what)
			continue;
		place->n_found++;
		add_key(ts, rows, &key);
		r = erase_tell_find(
		    ts->g, &(struct erase_find){"MariaDB", where, strbuf_str(&key), what}, err);
	}
	return r;
}

static int search_table(struct table_search ts, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX),
					     where = STRBUF_INIT(0);
	struct erase_place place = {.store = "MariaDB"};
	bool is_shop = cstr_equal(ts.database, ts.g->e->schema->database);
	int r;

	ts.key = schema_primary_key(ts.table);
	ts.has_owner = is_shop && schema_find_column(ts.table, ts.g->e->a->subject_key);
	ts.is_kept = erase_is_kept(ts.g->s, ts.table->name);
	add_columns(&ts, &sql);
	if (!ts.n_columns && !ts.has_owner)
		return 0;
	strbuf_addf(&where, "%s.%s", ts.database, ts.table->name);
	place.where = strbuf_str(&where);
	r = strbuf_check(&sql, ts.table->name, err);
	if (r == 0)
		r = search_rows(&ts, strbuf_str(&sql), place.where, &place, err);
	if (r == -ERR_NOT_FOUND) { /* it went meanwhile, and holds nothing */
		err_clear(err);
		return 0;
	}
	/* Of others a table may also be damaged, or of an engine that is not there. */
	if (r < 0 && !is_shop && !maria_is_lost(ts.g->e->m)) {
		_cleanup_(mem_freep) char *why =
		    mem_strdup(r == -ERR_PERMISSION ? "the account may not read it" : err->message);

		err_clear(err);
		return erase_tell_skip(ts.g, place.where, why, err);
	}
	return r < 0 ? err_context(err, "searching %s", place.where)
		     : erase_tell(ts.g, &place, err);
}

/* As it is now: a table may have come since. */
static int search_database(const struct searching *g, const char *database, struct err *err)
{
	_cleanup_(schema_freep) struct schema *schema = NULL;
	int r = schema_load(g->e->m, database, &schema, err);

	for (size_t i = 0; r == 0 && i < schema->n_tables; i++)
		if (!schema->tables[i].is_view)
			r = search_table((struct table_search){.g = g,
							       .database = database,
							       .table = &schema->tables[i]},
					 err);
	return r;
}

struct databases {
	struct arena arena;
	size_t n, cap;
	const char **names;
};

static void databases_done(struct databases *d)
{
	mem_free(d->names);
	arena_done(&d->arena);
}

static int list_databases(const struct searching *g, struct databases *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(g->e->schema->database)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r =
	    maria_query(g->e->m, govern_sql_erase_databases, params, ARRAY_LEN(params), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&ret->names, &ret->cap, ret->n + 1, sizeof(*ret->names));
		ret->names[ret->n++] = arena_str(&ret->arena, maria_rows_str(rows, 0)).data;
	}
	return r;
}

int erase_search_maria(const struct searching *g, struct err *err)
{
	_cleanup_(databases_done) struct databases others = {0};
	int64_t sees_all = 0;
	int r = search_database(g, g->e->schema->database, err);

	if (r == 0)
		r = list_databases(g, &others, err);
	for (size_t i = 0; i < others.n && r == 0; i++)
		r = search_database(g, others.names[i], err);
	if (r == 0)
		r = maria_query_int(g->e->m, govern_sql_erase_sees_all, NULL, 0, &sees_all, err);
	if (r < 0 || sees_all)
		return r;
	return erase_tell_skip(g, "other databases of MariaDB",
			       "the account sees only those on which it has a right", err);
}

/* --- all stores ------------------------------------------------------------------------------ */

int erase_search(const struct eraser *e, const struct erase_search *s, struct err *err)
{
	static int (*const stores[])(const struct searching *g, struct err *err) = {
	    erase_search_maria, erase_search_mongo, erase_search_files, erase_search_index};
	_cleanup_(erase_match_freep) struct erase_match *match = erase_sought_match(s->sought);
	const struct searching g = {.e = e, .s = s, .match = match};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(stores) && r == 0; i++)
		r = stores[i](&g, err);
	return r;
}
