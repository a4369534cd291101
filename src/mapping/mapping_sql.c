/*
 * SQL from the plan: expressions, and the statements that read each level.
 *
 * A level is read for many rows of the level above at once. Joins by one integer column, which are
 * nearly all, ask `WHERE column IN (?, …)` with one of a few numbers of parameters, so that few
 * texts are ever prepared; rows come with the column's value and are grouped in C by its bytes.
 * Every other join (texts, whose equality is a matter of their collation; dates, decimals, binary
 * columns; several columns) hands its values over as one JSON array in one parameter, which
 * JSON_TABLE turns into a table with the columns' own types and collations: the server compares,
 * and rows come with the number of the value that they belong to.
 *
 * "The first N" is ROW_NUMBER() over the value; a level of several tables is a UNION ALL of what is
 * used of them, with the table's number after the order's columns, so that every order is total.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

const size_t mapping_buckets[MAPPING_BUCKETS] = {1, 4, 16, 64, 256, MAPPING_VALUES_MAX};

const char *mapping_take_text(struct mapping *m, struct strbuf *b)
{
	const char *text = arena_strdup(&m->arena, strbuf_str(b));

	bug_if(b->overflow);
	strbuf_done(b);
	return text;
}

void mapping_add_statement(struct mapping *m, const char *purpose, const char *sql)
{
	mem_grow(&m->statements, &m->statements_cap, m->n_statements + 1, sizeof(*m->statements));
	m->statements[m->n_statements++] = (struct mapping_statement){purpose, sql};
}

size_t mapping_statements(const struct mapping *m, const struct mapping_statement **ret)
{
	*ret = m->statements;
	return m->n_statements;
}

/* --- expressions ------------------------------------------------------------------------------ */

void mapping_add_column(struct strbuf *b, const char *alias, const char *column)
{
	strbuf_addf(b, "%s.", alias);
	maria_add_identifier(b, column);
}

/* BIT comes as bytes, YEAR and ZEROFILL with leading zeros; a sum with 0 is a plain number. */
static bool wants_number(const struct schema_column *c)
{
	return cstr_equal(c->data_type, "bit") || cstr_equal(c->data_type, "year") ||
	       strstr(c->sql_type, "zerofill");
}

/* The column as it is selected: integers as plain numbers, times as MariaDB prints them. */
static void add_select(struct strbuf *b, const char *alias, const struct schema_column *c)
{
	bool is_time =
	    c->type == SCHEMA_DATE || c->type == SCHEMA_DATETIME || c->type == SCHEMA_TIME;
	bool is_float = cstr_equal(c->data_type, "float"); /* prints six digits only */
	bool is_number = is_float || (c->type == SCHEMA_INT && wants_number(c));
	bool is_opaque = c->type == SCHEMA_TEXT && !c->collation; /* UUID, INET */

	strbuf_addstr(b, is_time || is_opaque ? "CAST(" : is_number ? "(" : "");
	mapping_add_column(b, alias, c->name);
	strbuf_addstr(b, is_time || is_opaque ? " AS CHAR)"
			 : is_float	      ? " + 0e0)"
			 : is_number	      ? " + 0)"
					      : "");
}

static void add_key_part(struct strbuf *b, const char *alias, const struct schema_column *c,
			 bool escape)
{
	bool is_text = c->type == SCHEMA_TEXT && c->collation;

	escape = escape &&
		 (c->type == SCHEMA_TEXT || c->type == SCHEMA_DATETIME || c->type == SCHEMA_TIME);
	strbuf_addstr(b, escape ? "REPLACE(REPLACE(" : "");
	if (is_text || c->type == SCHEMA_BYTES) {
		strbuf_addstr(b, is_text ? "CONVERT(" : "HEX(");
		mapping_add_column(b, alias, c->name);
		strbuf_addstr(b, is_text ? " USING utf8mb4)" : ")");
	} else {
		add_select(b, alias, c);
	}
	strbuf_addstr(b, escape ? ", '%', '%25'), ':', '%3A')" : "");
}

void mapping_add_key(struct strbuf *b, const char *alias,
		     const struct schema_column *const *columns, size_t n)
{
	strbuf_addstr(b, n > 1 ? "CAST(CONCAT(" : "CAST(");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(b, i ? ", ':', " : "");
		add_key_part(b, alias, columns[i], n > 1);
	}
	strbuf_addstr(b, n > 1 ? ") AS BINARY)" : " AS BINARY)");
}

/* "DECIMAL(12,2)", without UNSIGNED and ZEROFILL, which a cast does not know. */
static void add_decimal(struct strbuf *b, const struct schema_column *c)
{
	const char *paren = strchr(c->sql_type, '('), *end = paren ? strchr(paren, ')') : NULL;

	strbuf_addstr(b, "DECIMAL");
	if (end)
		strbuf_add(b, paren, (size_t)(end - paren) + 1);
}

void mapping_add_parameter(struct strbuf *b, const struct schema_column *c)
{
	if (c->type == SCHEMA_DECIMAL) {
		strbuf_addstr(b, "CAST(? AS ");
		add_decimal(b, c);
		strbuf_addch(b, ')');
	} else if (c->type == SCHEMA_TEXT && c->collation) {
		strbuf_addf(b, "CONVERT(? USING %s) COLLATE %s", c->charset, c->collation);
	} else {
		strbuf_addch(b, '?');
	}
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The column of JSON_TABLE that holds values to be compared with `c`. */
static void add_json_type(struct strbuf *b, const struct schema_column *c)
{
	switch (c->type) {
	case SCHEMA_INT:
		strbuf_addstr(b, c->is_unsigned ? "BIGINT UNSIGNED" : "BIGINT");
		break;
	case SCHEMA_DECIMAL:
		add_decimal(b, c);
		break;
	case SCHEMA_TEXT:
		if (c->collation)
			strbuf_addf(b, "VARCHAR(1024) CHARACTER SET %s COLLATE %s", c->charset,
				    c->collation);
		else
			strbuf_addstr(b, "VARCHAR(64)");
		break;
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
		strbuf_addstr(b, c->sql_type);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_DOUBLE:
	case SCHEMA_JSON:
	case SCHEMA_OTHER:
		strbuf_addstr(b, "VARCHAR(1024) CHARACTER SET latin1");
		break;
	}
}

static void add_values(struct strbuf *b, const struct mapping_level *level)
{
	strbuf_addstr(b, "JSON_TABLE(?, '$[*]' COLUMNS (i FOR ORDINALITY");
	for (size_t i = 0; i < level->n_links; i++) {
		strbuf_addf(b, ", v%zu ", i);
		add_json_type(b, &level->links[i].parent_column);
		strbuf_addf(b, " PATH '$[%zu]'", i);
	}
	strbuf_addstr(b, ")) k");
}

/* "`T` c WHERE …" of one table. */
static void add_table_source(struct strbuf *b, const struct mapping_level *level, size_t table,
			     size_t n_values)
{
	if (level->is_list) {
		MARIA_ADD(b, "# c WHERE ", level->tables[table].name);
		mapping_add_column(b, "c", level->links[0].child);
		strbuf_addstr(b, " IN (?");
		for (size_t i = 1; i < n_values; i++)
			strbuf_addstr(b, ", ?");
		strbuf_addch(b, ')');
	} else {
		add_values(b, level);
		MARIA_ADD(b, " STRAIGHT_JOIN # c ON ", level->tables[table].name);
		for (size_t i = 0; i < level->n_links; i++) {
			const struct mapping_link *l = &level->links[i];
			bool is_bytes = l->parent_column.type == SCHEMA_BYTES;

			strbuf_addstr(b, i ? " AND " : "");
			mapping_add_column(b, "c", l->child);
			strbuf_addf(b, is_bytes ? " = UNHEX(k.v%zu)" : " = k.v%zu", i);
		}
		strbuf_addstr(b, " WHERE TRUE");
	}
	strbuf_addstr(b, level->where_sql);
}

/* Of tables that are read together: the columns of the longest primary key. */
static size_t most_key_columns(const struct mapping_level *level)
{
	size_t n = 0;

	for (size_t i = 0; i < level->n_tables; i++)
		n = level->tables[i].n_key > n ? level->tables[i].n_key : n;
	return n;
}

static void add_source(struct strbuf *b, const struct mapping_level *level, size_t n_values)
{
	if (level->n_tables == 1) {
		add_table_source(b, level, 0, n_values);
		return;
	}
	for (size_t i = 0; i < level->n_tables; i++) {
		const struct mapping_table *t = &level->tables[i];

		strbuf_addf(b, "%s%zu AS `#t`", i ? " UNION ALL SELECT " : "(SELECT ", i);
		strbuf_addstr(b, level->is_list ? "" : ", k.i AS `#i`");
		for (size_t j = 0; j < level->n_used; j++) {
			strbuf_addstr(b, ", ");
			mapping_add_column(b, "c", level->used[j].name);
		}
		for (size_t j = 0; j < most_key_columns(level); j++) {
			strbuf_addstr(b, ", ");
			if (j < t->n_key)
				mapping_add_column(b, "c", t->key[j].name);
			else
				strbuf_addstr(b, "NULL");
			strbuf_addf(b, " AS `#p%zu`", j);
		}
		strbuf_addstr(b, " FROM ");
		add_table_source(b, level, i, n_values);
	}
	strbuf_addstr(b, ") u");
}

static const char *alias_of(const struct mapping_level *level)
{
	return level->n_tables == 1 ? "c" : "u";
}

/* What tells which value a row belongs to; as a column of the result, or to group by. */
static void add_link(struct strbuf *b, const struct mapping_level *level, bool is_result)
{
	if (!level->is_list)
		strbuf_addstr(b, level->n_tables == 1 ? "k.i" : "u.`#i`");
	else if (is_result)
		add_select(b, alias_of(level), &level->links[0].child_column);
	else
		mapping_add_column(b, alias_of(level), level->links[0].child);
}

static void add_slot(struct strbuf *b, const struct mapping_level *level, size_t i)
{
	static const char *const functions[] = {
	    [FIGURE_COUNT] = "COUNT(", [FIGURE_SUM] = "SUM(", [FIGURE_AVG] = "AVG(",
	    [FIGURE_MIN] = "MIN(",     [FIGURE_MAX] = "MAX(",
	};
	const struct mapping_slot *slot = &level->slots[i];

	if (level->kind != FIELD_AGGREGATE) {
		add_select(b, alias_of(level), &slot->type);
	} else if (!slot->column) {
		strbuf_addstr(b, "COUNT(*)");
	} else {
		bool is_time = slot->figure >= FIGURE_MIN && slot->type.type != SCHEMA_INT &&
			       slot->type.type != SCHEMA_DECIMAL &&
			       slot->type.type != SCHEMA_DOUBLE;

		strbuf_addstr(b, is_time ? "CAST(" : "");
		strbuf_addstr(b, functions[slot->figure]);
		if (cstr_equal(slot->type.data_type, "float") ||
		    (slot->type.type == SCHEMA_INT && wants_number(&slot->type)))
			add_select(b, alias_of(level), &slot->type);
		else
			mapping_add_column(b, alias_of(level), slot->column);
		strbuf_addstr(b, is_time ? ") AS CHAR)" : ")");
	}
}

static bool is_ordered_by(const struct mapping_level *level, const char *column)
{
	for (size_t i = 0; i < level->n_order; i++) {
		if (cstr_equal(level->order[i].column, column))
			return true;
	}
	return false;
}

/* The order's columns, and the primary key's so that it is total. */
static void add_order(struct strbuf *b, const struct mapping_level *level)
{
	const char *alias = alias_of(level), *comma = " ORDER BY ";
	const struct mapping_table *t = &level->tables[0];
	size_t n_key = most_key_columns(level);

	for (size_t i = 0; i < level->n_order; i++, comma = ", ") {
		strbuf_addstr(b, comma);
		mapping_add_column(b, alias, level->order[i].column);
		strbuf_addstr(b, level->order[i].is_descending ? " DESC" : "");
	}
	if (level->n_tables > 1) {
		strbuf_addf(b, "%su.`#t`", comma);
		comma = ", ";
	}
	for (size_t i = 0; i < n_key; i++) {
		if (level->n_tables > 1)
			strbuf_addf(b, "%su.`#p%zu`", comma, i);
		else if (is_ordered_by(level, t->key[i].name))
			continue;
		else
			strbuf_addstr(b, comma), mapping_add_column(b, alias, t->key[i].name);
		comma = ", ";
	}
}

static void add_windowed(struct strbuf *b, const struct mapping_level *level, int64_t limit,
			 size_t n_values)
{
	strbuf_addstr(b, "SELECT l");
	for (size_t i = 0; i < level->n_slots; i++)
		strbuf_addf(b, ", s%zu", i);
	strbuf_addstr(b, " FROM (SELECT ");
	add_link(b, level, true);
	strbuf_addstr(b, " AS l");
	for (size_t i = 0; i < level->n_slots; i++) {
		strbuf_addstr(b, ", ");
		add_slot(b, level, i);
		strbuf_addf(b, " AS s%zu", i);
	}
	strbuf_addstr(b, ", ROW_NUMBER() OVER (PARTITION BY ");
	add_link(b, level, false);
	add_order(b, level);
	strbuf_addstr(b, ") AS n FROM ");
	add_source(b, level, n_values);
	strbuf_addf(b, ") w WHERE n <= %lld ORDER BY n", (long long)limit);
}

static void add_reading(struct strbuf *b, const struct mapping_level *level,
			const struct schema_column *const *key, size_t n_values)
{
	bool is_rows = level->kind == FIELD_OBJECT || level->kind == FIELD_ARRAY;
	int64_t limit = level->kind == FIELD_OBJECT ? 1 : level->limit;

	if (is_rows && !level->is_single && limit) {
		add_windowed(b, level, limit, n_values);
		return;
	}
	strbuf_addstr(b, "SELECT ");
	add_link(b, level, true);
	for (size_t i = 0; i < level->n_slots; i++) {
		strbuf_addstr(b, ", ");
		add_slot(b, level, i);
	}
	if (level->is_root && !level->is_list) {
		strbuf_addstr(b, ", ");
		mapping_add_key(b, "c", key, level->n_links);
	}
	strbuf_addstr(b, " FROM ");
	add_source(b, level, n_values);
	if (level->kind == FIELD_AGGREGATE) {
		strbuf_addstr(b, " GROUP BY ");
		add_link(b, level, false);
	} else if (is_rows && !level->is_single) {
		add_order(b, level);
	}
}

static void list_children(struct mapping *m)
{
	for (size_t i = 0; i < m->n_levels; i++) {
		struct mapping_level *level = m->levels[i];

		level->children = arena_alloc(&m->arena, (level->n_children + 1) *
							     sizeof(struct mapping_level *));
		if (level->parent)
			level->parent->children[level->child_index] = level;
	}
}

void mapping_make_reading(struct mapping *m)
{
	const struct schema_column *key[MAPPING_KEY_COLUMNS_MAX];

	list_children(m);
	mapping_key_columns(m, key);
	for (size_t i = 0; i < m->n_levels; i++) {
		struct mapping_level *level = m->levels[i];
		size_t n = level->is_list ? MAPPING_BUCKETS : 1;

		for (size_t j = 0; j < n; j++) {
			struct strbuf b = STRBUF_INIT(0);

			add_reading(&b, level, key, mapping_buckets[j]);
			level->sql[j] = mapping_take_text(m, &b);
		}
		mapping_add_statement(m,
				      arena_printf(&m->arena, "read %s",
						   level->is_root ? m->collection : level->path),
				      level->sql[0]);
	}
}
