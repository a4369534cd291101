/*
 * Checks of rows as SQL. Those that count what is wrong have one shape: an expression over alias t
 * that is true of a wrong row, counted over the table, and the keys of the rows for which it is
 * true. Texts are compared byte by byte, whatever the column's collation: a list that says "US"
 * does not mean "us". Names get in by MARIA_ADD(), values of the file as literals;
 * `where` and `sql` are the file's own SQL, which can but read: they run in a transaction that is
 * READ ONLY, and `sql` as a table that is selected from.
 */
#include "govern/quality_int.h"

#include "base/banned.h"

void quality_plan_done(struct quality_plan *p)
{
	mem_free(p->count_sql);
	mem_free(p->keys_sql);
	*p = (struct quality_plan){0};
}

static void add_column(struct strbuf *b, const char *alias, const char *column)
{
	strbuf_addf(b, "%s.", alias);
	maria_add_identifier(b, column);
}

static bool is_text(const struct schema_column *c)
{
	return c->type == SCHEMA_TEXT || c->type == SCHEMA_JSON;
}

/* As a text that is compared byte by byte. */
static void add_text(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "CONVERT(");
	add_column(b, "t", c->name);
	strbuf_addstr(b, " USING utf8mb4) COLLATE utf8mb4_nopad_bin");
}

static void add_missing(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addch(b, '(');
	add_column(b, "t", c->name);
	strbuf_addstr(b, " IS NULL");
	if (is_text(c)) {
		strbuf_addstr(b, " OR TRIM(");
		add_column(b, "t", c->name);
		strbuf_addstr(b, ") = ''");
	}
	strbuf_addch(b, ')');
}

static void add_list(struct strbuf *b, const struct quality_form *f, const struct schema_column *c)
{
	strbuf_addstr(b, " OR ");
	add_text(b, c);
	strbuf_addstr(b, " NOT IN (");
	for (size_t i = 0; i < f->n_list; i++) {
		strbuf_addstr(b, i ? ", " : "");
		maria_add_literal(b, str_from(f->list[i]));
	}
	strbuf_addch(b, ')');
}

static void add_bound(struct strbuf *b, const struct schema_column *c, const char *operator,
		      const char * number)
{
	if (!number)
		return;
	strbuf_addstr(b, " OR ");
	add_column(b, "t", c->name);
	strbuf_addf(b, " %s %s", operator, number);
}

static void add_length(struct strbuf *b, const struct schema_column *c, const char *operator,
		       int64_t length)
{
	if (length < 0)
		return;
	strbuf_addstr(b, " OR CHAR_LENGTH(");
	add_column(b, "t", c->name);
	strbuf_addf(b, ") %s %lld", operator,(long long) length);
}

/* What is missing is another check's. */
static void add_invalid(struct strbuf *b, const struct quality_form *f,
			const struct schema_column *c)
{
	strbuf_addstr(b, "(NOT ");
	add_missing(b, c);
	strbuf_addstr(b, " AND (FALSE");
	if (f->pattern) {
		strbuf_addstr(b, " OR ");
		add_text(b, c);
		strbuf_addstr(b, " NOT REGEXP ");
		maria_add_literal(b, str_from(f->pattern));
	}
	if (f->list)
		add_list(b, f, c);
	add_bound(b, c, "<", f->min);
	add_bound(b, c, ">", f->max);
	add_length(b, c, "<", f->min_length);
	add_length(b, c, ">", f->max_length);
	strbuf_addstr(b, "))");
}

static void add_columns(struct strbuf *b, const struct quality_check *c, const char *alias)
{
	for (size_t i = 0; i < c->n_columns; i++) {
		strbuf_addstr(b, i ? ", " : "");
		add_column(b, alias, c->columns[i]);
	}
}

/* Of values that are there. */
static void add_present(struct strbuf *b, const struct quality_check *c, const char *alias)
{
	for (size_t i = 0; i < c->n_columns; i++) {
		strbuf_addstr(b, i ? " AND " : "");
		add_column(b, alias, c->columns[i]);
		strbuf_addstr(b, " IS NOT NULL");
	}
}

/* As the column's collation has it, which is what a unique key would say. */
static void add_unique(struct strbuf *b, const struct quality_check *c)
{
	strbuf_addstr(b, "COALESCE((");
	add_columns(b, c, "t");
	strbuf_addstr(b, ") IN (SELECT ");
	add_columns(b, c, "u");
	strbuf_addstr(b, " FROM (SELECT ");
	add_columns(b, c, "t");
	quality_add_from(b, c);
	strbuf_addstr(b, c->where ? " AND " : " WHERE ");
	add_present(b, c, "t");
	strbuf_addstr(b, " GROUP BY ");
	add_columns(b, c, "t");
	strbuf_addstr(b, " HAVING COUNT(*) > 1) u), FALSE)");
}

static void add_reference(struct strbuf *b, const struct quality_check *c)
{
	strbuf_addch(b, '(');
	add_present(b, c, "t");
	MARIA_ADD(b, " AND NOT EXISTS (SELECT 1 FROM # r WHERE ", c->to_table);
	for (size_t i = 0; i < c->n_columns; i++) {
		strbuf_addstr(b, i ? " AND " : "");
		add_column(b, "r", c->to_columns[i]);
		strbuf_addstr(b, " = ");
		add_column(b, "t", c->columns[i]);
	}
	strbuf_addstr(b, "))");
}

void quality_add_from(struct strbuf *b, const struct quality_check *c)
{
	MARIA_ADD(b, " FROM # t", c->table);
	if (c->where)
		strbuf_addf(b, " WHERE (%s\n)", c->where);
}

/* As mapping.h says of keys: parts of several are joined by ':'. */
void quality_add_key(struct strbuf *b, const struct schema_table *t)
{
	const struct schema_index *key = schema_primary_key(t);

	strbuf_addstr(b, "CONCAT_WS(':'");
	for (size_t i = 0; i < key->n_columns; i++) {
		bool is_bytes = key->columns[i]->type == SCHEMA_BYTES;

		strbuf_addstr(b, key->n_columns > 1 ? ", REPLACE(REPLACE(" : ", ");
		strbuf_addstr(b, is_bytes ? "HEX(" : "CONVERT(");
		add_column(b, "t", key->columns[i]->name);
		strbuf_addstr(b, is_bytes ? ")" : " USING utf8mb4)");
		if (key->n_columns > 1)
			strbuf_addstr(b, ", '%', '%25'), ':', '%3A')");
	}
	strbuf_addch(b, ')');
}

static void add_wrong(struct strbuf *b, const struct quality_check *c, const struct schema_table *t)
{
	switch (c->kind) {
	case QUALITY_MISSING:
		add_missing(b, schema_find_column(t, c->columns[0]));
		return;
	case QUALITY_INVALID:
		add_invalid(b, &c->form, schema_find_column(t, c->columns[0]));
		return;
	case QUALITY_UNIQUE:
		add_unique(b, c);
		return;
	case QUALITY_REFERENCE:
		add_reference(b, c);
		return;
	case QUALITY_ROW_COUNT:
	case QUALITY_FRESHNESS:
	case QUALITY_SCHEMA:
	case QUALITY_DISTRIBUTION:
	case QUALITY_RECONCILIATION:
	case QUALITY_SQL:
	case QUALITY_KINDS:
		break;
	}
	bug_if(true);
}

static void add_order(struct strbuf *b, const struct schema_table *t, size_t limit)
{
	const struct schema_index *key = schema_primary_key(t);

	strbuf_addstr(b, " ORDER BY ");
	for (size_t i = 0; i < key->n_columns; i++) {
		strbuf_addstr(b, i ? ", " : "");
		add_column(b, "t", key->columns[i]->name);
	}
	strbuf_addf(b, " LIMIT %zu", limit);
}

/* The file's own statement: its first column is the key of what is wrong. */
static void make_own(const struct quality_check *c, size_t limit, struct strbuf *count,
		     struct strbuf *keys)
{
	strbuf_addstr(count, "SELECT ");
	if (c->table) {
		strbuf_addstr(count, "(SELECT COUNT(*)");
		quality_add_from(count, c);
		strbuf_addstr(count, "), ");
	} else {
		strbuf_addstr(count, "0, ");
	}
	strbuf_addf(count, "COUNT(*) FROM (%s\n) q", c->sql);
	strbuf_addf(keys, "SELECT q.* FROM (%s\n) q ORDER BY 1 LIMIT %zu", c->sql, limit);
}

int quality_plan_make(const struct quality_check *c, const struct schema *s, size_t limit,
		      struct quality_plan *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf count = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	_cleanup_(strbuf_done) struct strbuf keys = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	const struct schema_table *t = c->table ? schema_find_table(s, c->table) : NULL;
	int r;

	if (c->kind == QUALITY_SQL) {
		make_own(c, limit, &count, &keys);
	} else {
		bug_if(!t); /* quality_bind() was not asked */
		strbuf_addstr(&count, "SELECT COUNT(*), COALESCE(SUM(");
		add_wrong(&count, c, t);
		strbuf_addstr(&count, "), 0)");
		quality_add_from(&count, c);
		strbuf_addstr(&keys, "SELECT ");
		quality_add_key(&keys, t);
		quality_add_from(&keys, c);
		strbuf_addstr(&keys, c->where ? " AND " : " WHERE ");
		add_wrong(&keys, c, t);
		add_order(&keys, t, limit);
	}
	r = strbuf_check(&count, c->name, err);
	if (r == 0)
		r = strbuf_check(&keys, c->name, err);
	if (r < 0)
		return r;
	ret->count_sql = strbuf_take(&count);
	ret->keys_sql = strbuf_take(&keys);
	return 0;
}
