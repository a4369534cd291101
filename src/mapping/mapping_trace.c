/*
 * From which rows a document is made, told one row at a time.
 *
 * The plan's own statements read what the document shows, for many documents at once, and not the
 * keys of the rows. Here it is one document and a person who waits: from each row, found by its
 * primary key, one query a level joins the rows below it, with the same links, filters, orders and
 * limits.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

struct tracer {
	const struct mapping *m;
	struct maria *db;
	struct arena arena;
	mapping_row_fn fn;
	void *arg;
};

struct found {	      /* a row */
	size_t table; /* of its level */
	struct str key;
};

struct found_list {
	size_t len, cap;
	struct found *items;
};

static size_t key_columns(const struct mapping_table *t, const struct schema_column **ret)
{
	for (size_t i = 0; i < t->n_key; i++)
		ret[i] = &t->key[i];
	return t->n_key;
}

static void add_key(struct strbuf *b, const struct mapping_table *t)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX];
	size_t n = key_columns(t, columns);

	mapping_add_key(b, "c", columns, n);
}

/* --- rows below a row ------------------------------------------------------------------------ */

/* What joins the rows of a level to a row: of a tree's nodes, the next one up. */
static const char *parent_column(const struct mapping_level *level, size_t link, bool is_climb)
{
	return is_climb ? level->tree_parent : level->links[link].parent;
}

static void add_arm(struct strbuf *b, const struct mapping_level *level, size_t table,
		    const struct mapping_table *above, bool is_climb)
{
	const struct mapping_table *t = &level->tables[table];

	strbuf_addf(b, "SELECT %zu AS t, ", table);
	add_key(b, t);
	strbuf_addstr(b, " AS k");
	for (size_t i = 0; i < level->n_order; i++) {
		strbuf_addstr(b, ", ");
		mapping_add_column(b, "c", level->order[i].column);
		strbuf_addf(b, " AS o%zu", i);
	}
	strbuf_addstr(b, ", ");
	mapping_add_column(b, "c", t->key[0].name);
	MARIA_ADD(b, " AS p FROM # a JOIN # c ON ", above->name, t->name);
	for (size_t i = 0; i < level->n_links; i++) {
		strbuf_addstr(b, i ? " AND " : "");
		mapping_add_column(b, "c", level->links[i].child);
		strbuf_addstr(b, " = ");
		mapping_add_column(b, "a", parent_column(level, i, is_climb));
	}
	for (size_t i = 0; i < above->n_key; i++) {
		strbuf_addstr(b, i ? " AND " : " WHERE ");
		mapping_add_column(b, "a", above->key[i].name);
		strbuf_addstr(b, " = ");
		mapping_add_parameter(b, &above->key[i]);
	}
	strbuf_addstr(b, level->where_sql);
}

static void add_query(struct strbuf *b, const struct mapping_level *level,
		      const struct mapping_table *above, bool is_climb)
{
	bool is_one = level->kind == FIELD_OBJECT || level->kind == FIELD_TREE;
	int64_t limit = is_one ? 1 : level->limit;

	strbuf_addstr(b, "SELECT t, k FROM (");
	for (size_t i = 0; i < level->n_tables; i++) {
		strbuf_addstr(b, i ? " UNION ALL " : "");
		add_arm(b, level, i, above, is_climb);
	}
	strbuf_addstr(b, ") u ORDER BY ");
	for (size_t i = 0; i < level->n_order; i++)
		strbuf_addf(b, "o%zu%s, ", i, level->order[i].is_descending ? " DESC" : "");
	strbuf_addf(
	    b, "t, p, k LIMIT %lld",
	    (long long)(limit && limit < MAPPING_TRACE_MAX ? limit : MAPPING_TRACE_MAX + 1));
}

static int find_below(struct tracer *t, const struct mapping_level *level,
		      const struct mapping_table *above, struct str key, bool is_climb,
		      struct found_list *ret, struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX];
	struct maria_value params[MAPPING_KEY_COLUMNS_MAX * MAPPING_TABLES_MAX];
	struct str parts[MAPPING_KEY_COLUMNS_MAX];
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t n_key = key_columns(above, columns), n = 0;
	int r;

	if (!mapping_key_split(key, columns, n_key, &t->arena, parts))
		return err_set(err, ERR_CORRUPTED, "a row of table \"%s\" has a key that is none",
			       above->name);
	for (size_t i = 0; i < level->n_tables; i++)
		for (size_t j = 0; j < n_key; j++)
			params[n++] = mapping_key_value(parts[j], columns[j], &t->arena);
	add_query(&sql, level, above, is_climb);
	r = maria_query(t->db, strbuf_str(&sql), params, n, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&ret->items, &ret->cap, ret->len + 1, sizeof(*ret->items));
		ret->items[ret->len++] = (struct found){
		    maria_rows_uint(rows, 0), arena_str(&t->arena, maria_rows_str(rows, 1))};
	}
	return r;
}

static int tell_rows(struct tracer *t, const struct mapping_level *level, struct found_list *list,
		     struct err *err)
{
	bool is_cut = list->len > MAPPING_TRACE_MAX;
	int r = 0;

	if (is_cut)
		list->len = MAPPING_TRACE_MAX;
	for (size_t i = 0; i < list->len && r == 0; i++)
		r = t->fn(
		    t->arg,
		    &(struct mapping_row_of){.field = level->is_root ? "" : level->path,
					     .table = level->tables[list->items[i].table].name,
					     .key = list->items[i].key,
					     .is_cut = is_cut && i + 1 == list->len},
		    err);
	return r;
}

/* From node to node up to the root; the plan's own reading ends at as many. */
static int climb(struct tracer *t, const struct mapping_level *level, struct found_list *nodes,
		 struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < nodes->len && nodes->len < MAPPING_TREE_MAX && r == 0; i++) {
		const struct found node = nodes->items[i];

		r = find_below(t, level, &level->tables[node.table], node.key, true, nodes, err);
	}
	return r;
}

/* The rows of a level below one row, then what is below them. */
static int trace_level(struct tracer *t, const struct mapping_level *level,
		       const struct mapping_table *above, struct str key, struct err *err)
{
	struct found_list rows = {0};
	int r = find_below(t, level, above, key, false, &rows, err);

	if (r == 0 && level->kind == FIELD_TREE)
		r = climb(t, level, &rows, err);
	if (r == 0)
		r = tell_rows(t, level, &rows, err);
	for (size_t i = 0; i < rows.len && r == 0; i++)
		for (size_t j = 0; j < level->n_children && r == 0; j++)
			r = trace_level(t, level->children[j], &level->tables[rows.items[i].table],
					rows.items[i].key, err);
	mem_free(rows.items);
	return r;
}

/* --- the root -------------------------------------------------------------------------------- */

static void add_root(struct strbuf *b, const struct mapping *m,
		     const struct schema_column *const *columns, size_t n)
{
	strbuf_addstr(b, "SELECT ");
	add_key(b, &m->root->tables[0]);
	strbuf_addstr(b, ", ");
	mapping_add_key(b, "c", columns, n);
	MARIA_ADD(b, " FROM # c WHERE ", m->root->tables[0].name);
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(b, i ? " AND " : "");
		mapping_add_column(b, "c", columns[i]->name);
		strbuf_addstr(b, " = ");
		mapping_add_parameter(b, columns[i]);
	}
	strbuf_addstr(b, m->root->where_sql);
}

/* The server's equality is not that of bytes: of what it finds, the one that has them. */
static int find_root(struct tracer *t, struct str key, struct str *ret, struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX];
	struct maria_value params[MAPPING_KEY_COLUMNS_MAX];
	struct str parts[MAPPING_KEY_COLUMNS_MAX];
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t n = t->m->root->n_links;
	bool is_found = false;
	int r = 0;

	mapping_key_columns(t->m, columns);
	if (mapping_key_split(key, columns, n, &t->arena, parts)) {
		for (size_t i = 0; i < n; i++)
			params[i] = mapping_key_value(parts[i], columns[i], &t->arena);
		add_root(&sql, t->m, columns, n);
		r = maria_query(t->db, strbuf_str(&sql), params, n, &rows, err);
		while (r >= 0 && !is_found && (r = maria_rows_next(rows, err)) > 0) {
			is_found = str_equal(maria_rows_str(rows, 1), key);
			if (is_found)
				*ret = arena_str(&t->arena, maria_rows_str(rows, 0));
		}
	}
	if (r < 0 || is_found)
		return r < 0 ? r : 0;
	return err_set(err, ERR_NOT_FOUND, "table \"%s\" has no row with the key \"%.*s\"",
		       t->m->root->tables[0].name, STR_ARGS(key));
}

int mapping_trace(const struct mapping *m, struct maria *db, struct str key, mapping_row_fn fn,
		  void *arg, struct err *err)
{
	struct tracer t = {.m = m, .db = db, .fn = fn, .arg = arg};
	const struct mapping_level *root = m->root;
	struct found_list self = {0};
	struct str row = {0};
	int r = find_root(&t, key, &row, err);

	if (r == 0) {
		mem_grow(&self.items, &self.cap, 1, sizeof(*self.items));
		self.items[self.len++] = (struct found){0, row};
		r = tell_rows(&t, root, &self, err);
	}
	for (size_t i = 0; i < root->n_children && r == 0; i++)
		r = trace_level(&t, root->children[i], &root->tables[0], row, err);
	mem_free(self.items);
	arena_done(&t.arena);
	return r;
}
