/*
 * Introspection of a database: see schema.h. Five queries (sql/schema_*.sql), merged in C by table
 * and name order.
 */
#include "store/schema.h"

#include "store/store_sql_int.h"

#include <stdlib.h>

#include "base/banned.h"

static const struct {
	const char *data_type;
	enum schema_type type;
} types[] = {
    {"tinyint", SCHEMA_INT},	{"smallint", SCHEMA_INT},      {"mediumint", SCHEMA_INT},
    {"int", SCHEMA_INT},	{"bigint", SCHEMA_INT},	       {"bit", SCHEMA_INT},
    {"year", SCHEMA_INT},	{"decimal", SCHEMA_DECIMAL},   {"float", SCHEMA_DOUBLE},
    {"double", SCHEMA_DOUBLE},	{"char", SCHEMA_TEXT},	       {"varchar", SCHEMA_TEXT},
    {"tinytext", SCHEMA_TEXT},	{"text", SCHEMA_TEXT},	       {"mediumtext", SCHEMA_TEXT},
    {"longtext", SCHEMA_TEXT},	{"enum", SCHEMA_TEXT},	       {"set", SCHEMA_TEXT},
    {"uuid", SCHEMA_TEXT},	{"inet4", SCHEMA_TEXT},	       {"inet6", SCHEMA_TEXT},
    {"date", SCHEMA_DATE},	{"datetime", SCHEMA_DATETIME}, {"timestamp", SCHEMA_DATETIME},
    {"time", SCHEMA_TIME},	{"binary", SCHEMA_BYTES},      {"varbinary", SCHEMA_BYTES},
    {"tinyblob", SCHEMA_BYTES}, {"blob", SCHEMA_BYTES},	       {"mediumblob", SCHEMA_BYTES},
    {"longblob", SCHEMA_BYTES},
};

static enum schema_type type_of(const char *data_type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (cstr_equal(types[i].data_type, data_type))
			return types[i].type;
	}
	return SCHEMA_OTHER;
}

static const char *copy_column(struct schema *s, const struct maria_rows *rows, size_t column)
{
	struct str v = maria_rows_str(rows, column);

	return v.data ? arena_strndup(&s->arena, v.data, v.len) : NULL;
}

/* Of a column that has no NULL. */
static const char *copy_text(struct schema *s, const struct maria_rows *rows, size_t column)
{
	const char *text = copy_column(s, rows, column);

	return text ? text : "";
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && cstr_equal(s + n - m, end);
}

/*
 * Equal values have equal bytes. Of texts that holds for binary collations that do not pad with
 * spaces: utf8mb4_bin pads ("a" = "a "), utf8mb4_nopad_bin and "binary" do not. A BINARY(n) column
 * is as wide as it is; DOUBLE has -0.0 = 0.0.
 */
static bool is_byte_exact(const struct schema_column *c)
{
	if (c->type == SCHEMA_TEXT || c->type == SCHEMA_JSON) {
		if (!c->collation)
			return true; /* UUID, INET */
		return ends_with(c->collation, "nopad_bin") || cstr_equal(c->collation, "binary");
	}
	return c->type != SCHEMA_DOUBLE && c->type != SCHEMA_OTHER;
}

static int each_row(struct maria *m, const char *sql, const char *database, struct schema *s,
		    void (*fn)(struct schema *, const struct maria_rows *), struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, sql, MARIA_ARGS(MARIA_S(database)), &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0)
		fn(s, rows);
	return r;
}

static struct schema_table *table_of_row(struct schema *s, const struct maria_rows *rows)
{
	struct str name = maria_rows_str(rows, 0);

	for (size_t lo = 0, hi = s->n_tables; lo < hi;) {
		size_t mid = (lo + hi) / 2;
		int c = str_compare(str_from(s->tables[mid].name), name);

		if (c == 0)
			return &s->tables[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL; /* made since the tables were read */
}

/* Appends an item to an array in the arena; arrays are small, and copied when they double. */
static void *append(struct schema *s, void *items, size_t *n, size_t size)
{
	char *a = items;

	if ((*n & (*n - 1)) == 0) { /* 0 or a power of two: full */
		char *b = arena_alloc(&s->arena, (*n ? *n * 2 : 1) * size);

		if (a)
			memcpy(b, a, *n * size);
		a = b;
	}
	(*n)++;
	return a;
}

static void add_table(struct schema *s, const struct maria_rows *rows)
{
	struct schema_table *t;

	s->tables = append(s, s->tables, &s->n_tables, sizeof(*s->tables));
	t = &s->tables[s->n_tables - 1];
	t->name = copy_column(s, rows, 0);
	t->is_view = cstr_equal(maria_rows_str(rows, 1).data, "VIEW");
	t->engine = copy_column(s, rows, 2);
	t->comment = copy_column(s, rows, 3);
	t->rows_estimate = maria_rows_int(rows, 4);
}

static void add_column(struct schema *s, const struct maria_rows *rows)
{
	struct schema_table *t = table_of_row(s, rows);
	struct schema_column *c;

	if (!t)
		return;
	t->columns = append(s, t->columns, &t->n_columns, sizeof(*t->columns));
	c = &t->columns[t->n_columns - 1];
	c->name = copy_text(s, rows, 1);
	c->sql_type = copy_text(s, rows, 2);
	c->data_type = copy_text(s, rows, 3);
	c->type = type_of(c->data_type);
	c->is_unsigned = strstr(c->sql_type, "unsigned") || cstr_equal(c->data_type, "bit");
	c->is_nullable = str_equal(maria_rows_str(rows, 4), str_from("YES"));
	c->charset = copy_column(s, rows, 5);
	c->collation = copy_column(s, rows, 6);
	c->fallback = copy_column(s, rows, 7);
	c->comment = copy_column(s, rows, 8);
	c->is_byte_exact = is_byte_exact(c);
}

static void mark_json_column(struct schema *s, const struct maria_rows *rows)
{
	struct schema_table *t = table_of_row(s, rows);

	for (size_t i = 0; t && i < t->n_columns; i++) {
		if (t->columns[i].type == SCHEMA_TEXT &&
		    str_equal(str_from(t->columns[i].name), maria_rows_str(rows, 1)))
			t->columns[i].type = SCHEMA_JSON;
	}
}

static void add_index_column(struct schema *s, const struct maria_rows *rows)
{
	struct schema_table *t = table_of_row(s, rows);
	struct str name = maria_rows_str(rows, 1);
	const struct schema_column *c;
	struct schema_index *x;

	if (!t || !maria_rows_str(rows, 3).data)
		return;
	c = schema_find_column(t, maria_rows_str(rows, 3).data);
	if (!c)
		return;
	x = t->n_indexes ? &t->indexes[t->n_indexes - 1] : NULL;
	if (!x || !str_equal(str_from(x->name), name)) {
		t->indexes = append(s, t->indexes, &t->n_indexes, sizeof(*t->indexes));
		x = &t->indexes[t->n_indexes - 1];
		x->name = copy_column(s, rows, 1);
		x->is_unique = maria_rows_int(rows, 2) == 0;
		x->comment = copy_column(s, rows, 4);
	}
	x->columns = append(s, x->columns, &x->n_columns, sizeof(const struct schema_column *));
	x->columns[x->n_columns - 1] = c;
}

static void add_foreign_key_column(struct schema *s, const struct maria_rows *rows)
{
	struct schema_table *t = table_of_row(s, rows);
	struct str name = maria_rows_str(rows, 1);
	const struct schema_column *c;
	struct schema_foreign_key *f;
	size_t n;

	c = t ? schema_find_column(t, maria_rows_str(rows, 2).data) : NULL;
	if (!c)
		return;
	f = t->n_foreign_keys ? &t->foreign_keys[t->n_foreign_keys - 1] : NULL;
	if (!f || !str_equal(str_from(f->name), name)) {
		t->foreign_keys =
		    append(s, t->foreign_keys, &t->n_foreign_keys, sizeof(*t->foreign_keys));
		f = &t->foreign_keys[t->n_foreign_keys - 1];
		f->name = copy_column(s, rows, 1);
		f->to_table = copy_column(s, rows, 3);
		f->on_update = copy_column(s, rows, 5);
		f->on_delete = copy_column(s, rows, 6);
	}
	n = f->n_columns;
	f->columns = append(s, f->columns, &n, sizeof(const struct schema_column *));
	n = f->n_columns;
	f->to_columns = append(s, f->to_columns, &n, sizeof(const char *));
	f->columns[f->n_columns] = c;
	f->to_columns[f->n_columns] = copy_column(s, rows, 4);
	f->n_columns = n;
}

int schema_load(struct maria *m, const char *database, struct schema **ret, struct err *err)
{
	_cleanup_(schema_freep) struct schema *s = MEM_NEW(struct schema);
	int r;

	s->database = arena_strdup(&s->arena, database);
	r = each_row(m, store_sql_schema_tables, database, s, add_table, err);
	if (r == 0)
		r = each_row(m, store_sql_schema_columns, database, s, add_column, err);
	if (r == 0)
		r = each_row(m, store_sql_schema_json_columns, database, s, mark_json_column, err);
	if (r == 0)
		r = each_row(m, store_sql_schema_indexes, database, s, add_index_column, err);
	if (r == 0)
		r = each_row(m, store_sql_schema_foreign_keys, database, s, add_foreign_key_column,
			     err);
	if (r < 0)
		return err_context(err, "reading the schema of \"%s\"", database);
	*ret = TAKE_PTR(s);
	return 0;
}

struct schema *schema_free(struct schema *s)
{
	if (!s)
		return NULL;
	arena_done(&s->arena);
	mem_free(s);
	return NULL;
}

const struct schema_table *schema_find_table(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->n_tables; i++) {
		if (cstr_equal(s->tables[i].name, name))
			return &s->tables[i];
	}
	return NULL;
}

const struct schema_column *schema_find_column(const struct schema_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (cstr_equal(t->columns[i].name, name))
			return &t->columns[i];
	}
	return NULL;
}

const struct schema_index *schema_primary_key(const struct schema_table *t)
{
	for (size_t i = 0; i < t->n_indexes; i++) {
		if (cstr_equal(t->indexes[i].name, "PRIMARY"))
			return &t->indexes[i];
	}
	return NULL;
}

bool schema_has_index_on(const struct schema_table *t, const char *const *columns, size_t n)
{
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct schema_index *x = &t->indexes[i];
		size_t found = 0;

		for (size_t j = 0; j < n && j < x->n_columns; j++) {
			for (size_t k = 0; k < n; k++)
				found += cstr_equal(x->columns[j]->name, columns[k]);
		}
		if (found == n)
			return true;
	}
	return false;
}

const char *schema_nearest_table(const struct schema *s, const char *name)
{
	_cleanup_(mem_freep) const char **names = mem_alloc_array(s->n_tables + 1, sizeof(*names));

	for (size_t i = 0; i < s->n_tables; i++)
		names[i] = s->tables[i].name;
	return cstr_nearest(name, names);
}

const char *schema_nearest_column(const struct schema_table *t, const char *name)
{
	_cleanup_(mem_freep) const char **names = mem_alloc_array(t->n_columns + 1, sizeof(*names));

	for (size_t i = 0; i < t->n_columns; i++)
		names[i] = t->columns[i].name;
	return cstr_nearest(name, names);
}
