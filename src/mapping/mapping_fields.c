/*
 * Binding, second pass: the fields, filters and orders of a level. Each column that is read gets a
 * slot in the level's rows; each column by which a change of a row can show is noted as used, which
 * is what the triggers compare.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

#define BIT(type) (1U << (type))

static const struct {
	const char *name;
	enum mapping_convert convert;
	unsigned from; /* schema types */
} overrides[] = {
    {"bool", CONVERT_BOOL, BIT(SCHEMA_INT)},
    {"int64", CONVERT_INT, BIT(SCHEMA_INT)},
    {"decimal", CONVERT_DECIMAL, BIT(SCHEMA_INT) | BIT(SCHEMA_DECIMAL)},
    {"double", CONVERT_DOUBLE, BIT(SCHEMA_INT) | BIT(SCHEMA_DECIMAL) | BIT(SCHEMA_DOUBLE)},
    {"string", CONVERT_STRING,
     BIT(SCHEMA_INT) | BIT(SCHEMA_DECIMAL) | BIT(SCHEMA_TEXT) | BIT(SCHEMA_JSON) |
	 BIT(SCHEMA_DATE) | BIT(SCHEMA_DATETIME) | BIT(SCHEMA_TIME)},
    {"date", CONVERT_DATE, BIT(SCHEMA_DATE) | BIT(SCHEMA_DATETIME)},
    {"binary", CONVERT_BINARY, BIT(SCHEMA_BYTES)},
    {"json", CONVERT_JSON, BIT(SCHEMA_JSON) | BIT(SCHEMA_TEXT)},
};

static enum mapping_convert natural(const struct schema_column *c)
{
	switch (c->type) {
	case SCHEMA_INT:
		return CONVERT_INT;
	case SCHEMA_DECIMAL:
		return CONVERT_DECIMAL;
	case SCHEMA_DOUBLE:
		return CONVERT_DOUBLE;
	case SCHEMA_TEXT:
		return cstr_equal(c->data_type, "set") ? CONVERT_SET : CONVERT_STRING;
	case SCHEMA_TIME:
		return CONVERT_STRING;
	case SCHEMA_JSON:
		return CONVERT_JSON;
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
		return CONVERT_DATE;
	case SCHEMA_BYTES:
		return CONVERT_BINARY;
	case SCHEMA_OTHER:
		break;
	}
	return CONVERT_NONE;
}

size_t mapping_add_slot(struct mapping_level *level, const char *name,
			const struct schema_column *type)
{
	for (size_t i = 0; i < level->n_slots; i++) {
		if (cstr_equal(level->slots[i].column, name))
			return i;
	}
	mem_grow(&level->slots, &level->slots_cap, level->n_slots + 1, sizeof(*level->slots));
	level->slots[level->n_slots] = (struct mapping_slot){.column = name, .type = *type};
	return level->n_slots++;
}

static void add_used(struct mapping_level *level, const struct schema_column *c)
{
	for (size_t i = 0; i < level->n_used; i++) {
		if (cstr_equal(level->used[i].name, c->name))
			return;
	}
	mem_grow(&level->used, &level->used_cap, level->n_used + 1, sizeof(*level->used));
	level->used[level->n_used++] = *c;
}

/* --- fields ----------------------------------------------------------------------------------- */

static int choose_convert(struct mapping_field *f, const struct schema_column *c, struct err *err)
{
	f->convert = natural(c);
	for (size_t i = 0; f->type && i < ARRAY_LEN(overrides); i++) {
		if (!cstr_equal(f->type, overrides[i].name))
			continue;
		if (!(overrides[i].from & BIT(c->type)))
			return ynode_error(f->node, err,
					   "column \"%s\" of type %s can not become %s", c->name,
					   c->sql_type, f->type);
		f->convert = overrides[i].convert;
	}
	return 0;
}

static int resolve_column(struct mapping *m, struct mapping_level *level, struct mapping_field *f,
			  struct err *err)
{
	struct schema_column c;
	int r = mapping_resolve_column(m, level, f->column, f->column_node, &c, err);

	if (r < 0)
		return r;
	f->slot = mapping_add_slot(level, f->column, &c);
	r = choose_convert(f, &c, err);
	f->is_nullable = c.is_nullable || f->convert == CONVERT_DATE; /* the zero date is null */
	return r;
}

static int resolve_concat(struct mapping *m, struct mapping_level *level, struct mapping_field *f,
			  struct err *err)
{
	bool has_column = false;

	f->is_nullable = true;
	f->convert = CONVERT_STRING;
	for (size_t i = 0; i < f->n_parts; i++) {
		struct mapping_part *part = &f->parts[i];
		struct schema_column c;
		int r;

		if (!part->column)
			continue;
		has_column = true;
		r = mapping_resolve_column(m, level, part->column, part->node, &c, err);
		if (r < 0)
			return r;
		if (c.type == SCHEMA_BYTES || c.type == SCHEMA_DOUBLE)
			return ynode_error(part->node, err,
					   "column \"%s\" of type %s can be no part of a text",
					   c.name, c.sql_type);
		f->is_nullable = f->is_nullable && c.is_nullable;
		part->slot = mapping_add_slot(level, part->column, &c);
	}
	return has_column
		   ? 0
		   : ynode_error(f->node, err, "\"concat\" without a column: write a constant");
}

static unsigned scale_of(const struct schema_column *c)
{
	const char *comma = c->type == SCHEMA_DECIMAL ? strchr(c->sql_type, ',') : NULL;
	unsigned scale = 0;

	for (const char *p = comma ? comma + 1 : ""; *p >= '0' && *p <= '9'; p++)
		scale = scale * 10 + (unsigned)(*p - '0');
	return scale;
}

static int resolve_figure(struct mapping *m, struct mapping_level *level, struct mapping_field *f,
			  struct err *err)
{
	struct schema_column c = {0};
	bool fits = true;
	int r;

	f->slot = level->n_slots;
	f->convert = CONVERT_INT;
	if (f->column) {
		r = mapping_resolve_column(m, level, f->column, f->column_node, &c, err);
		if (r < 0)
			return r;
		add_used(level, &c);
	}
	mem_grow(&level->slots, &level->slots_cap, level->n_slots + 1, sizeof(*level->slots));
	level->slots[level->n_slots++] =
	    (struct mapping_slot){.column = f->column, .type = c, .figure = f->figure};
	switch (f->figure) {
	case FIGURE_COUNT:
		return 0;
	case FIGURE_SUM:
		fits = c.type == SCHEMA_INT || c.type == SCHEMA_DECIMAL;
		f->convert = natural(&c);
		f->scale = scale_of(&c);
		break;
	case FIGURE_AVG:
		fits = c.type == SCHEMA_INT || c.type == SCHEMA_DECIMAL;
		f->convert = CONVERT_DECIMAL;
		f->is_nullable = true;
		break;
	case FIGURE_MIN:
	case FIGURE_MAX:
		fits = c.type != SCHEMA_TEXT && c.type != SCHEMA_JSON && c.type != SCHEMA_BYTES;
		f->convert = natural(&c);
		f->is_nullable = true;
		break;
	}
	if (fits)
		return 0;
	r = ynode_error(f->node, err, "the figure of column \"%s\" of type %s is not determined",
			c.name, c.sql_type);
	if (c.type == SCHEMA_DOUBLE)
		err_hint(err, "the sum of reals depends on their order: make it a DECIMAL");
	else
		err_hint(err,
			 "texts can be equal and yet differ in bytes: take a number or a date");
	return r;
}

static int resolve_tree(struct mapping *m, struct mapping_level *level, struct err *err)
{
	struct schema_column c;
	int r =
	    mapping_resolve_column(m, level, level->tree_parent, level->tree_parent_node, &c, err);

	if (r < 0)
		return r;
	bug_if(mapping_add_slot(level, level->tree_parent, &c) != 0);
	r = resolve_column(m, level, &level->fields[0], err);
	if (r == 0 && level->fields[0].convert == CONVERT_NONE)
		r = -ERR_INTERNAL;
	return r;
}

static int resolve_field(struct mapping *m, struct mapping_level *level, struct mapping_field *f,
			 struct err *err)
{
	switch (f->kind) {
	case FIELD_COLUMN:
		return resolve_column(m, level, f, err);
	case FIELD_CONCAT:
		return resolve_concat(m, level, f, err);
	case FIELD_FIGURE:
		return resolve_figure(m, level, f, err);
	case FIELD_OBJECT:
		f->is_nullable = true;
		return 0;
	case FIELD_CONSTANT:
	case FIELD_ARRAY:
	case FIELD_AGGREGATE:
	case FIELD_TREE:
		break;
	}
	return 0;
}

/* --- filters and orders ----------------------------------------------------------------------- */

static bool is_decimal_text(const char *s)
{
	size_t digits;

	s += *s == '-' || *s == '+';
	digits = strspn(s, "0123456789");
	s += digits;
	if (*s == '.') {
		s++;
		digits += strspn(s, "0123456789");
		s += strspn(s, "0123456789");
	}
	return digits && digits < 66 && !*s;
}

/* ENUM: the value stands in quotes in the type. */
static bool is_member(const struct schema_column *c, const char *text)
{
	struct strbuf b = STRBUF_INIT(0);
	bool found;

	strbuf_addch(&b, '\'');
	for (const char *p = text; *p; p++)
		strbuf_addf(&b, *p == '\'' ? "''" : "%c", *p);
	strbuf_addch(&b, '\'');
	found = strstr(c->sql_type, strbuf_str(&b)) != NULL;
	strbuf_done(&b);
	return found;
}

static int check_literal(const struct ynode *n, const struct schema_column *c, struct err *err)
{
	struct str s = str_from(n->text);
	bool fits = true;
	uint64_t u;
	int64_t i;
	double d;

	switch (c->type) {
	case SCHEMA_INT:
		fits = parse_int64(s, INT64_MIN, INT64_MAX, &i, NULL) == 0 ||
		       parse_uint64(s, UINT64_MAX, &u, NULL) == 0;
		break;
	case SCHEMA_DECIMAL:
		fits = is_decimal_text(n->text);
		break;
	case SCHEMA_DOUBLE:
		fits = parse_double(s, &d, NULL) == 0;
		break;
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
		fits = s.len && strspn(n->text, "0123456789-:. ") == s.len;
		break;
	case SCHEMA_TEXT:
		fits = !cstr_equal(c->data_type, "enum") || is_member(c, n->text);
		break;
	case SCHEMA_JSON:
	case SCHEMA_BYTES:
	case SCHEMA_OTHER:
		return ynode_error(n, err, "column \"%s\" of type %s can not be filtered", c->name,
				   c->sql_type);
	}
	if (fits)
		return 0;
	return ynode_error(n, err, "\"%s\" is no value of column \"%s\", which is %s", n->text,
			   c->name, c->sql_type);
}

static int resolve_where(struct mapping *m, struct mapping_level *level, struct err *err)
{
	static const char *const texts[] = {
	    [OPERATOR_EQ] = " = ",
	    [OPERATOR_NE] = " <> ",
	    [OPERATOR_LT] = " < ",
	    [OPERATOR_LE] = " <= ",
	    [OPERATOR_GT] = " > ",
	    [OPERATOR_GE] = " >= ",
	    [OPERATOR_IN] = " IN (",
	    [OPERATOR_IS_NULL] = " IS NULL",
	    [OPERATOR_IS_NOT_NULL] = " IS NOT NULL",
	};
	struct strbuf b = STRBUF_INIT(0);
	int r = 0;

	for (size_t i = 0; r == 0 && i < level->n_where; i++) {
		const struct mapping_condition *c = &level->where[i];
		struct schema_column type;

		r = mapping_resolve_column(m, level, c->column, c->node, &type, err);
		if (r < 0)
			break;
		add_used(level, &type);
		strbuf_addstr(&b, " AND ");
		mapping_add_column(&b, "c", c->column);
		strbuf_addstr(&b, texts[c->comparison]);
		for (size_t j = 0; r == 0 && j < c->n_values; j++) {
			const char *text = c->values[j]->text;

			r = check_literal(c->values[j], &type, err);
			strbuf_addstr(&b, j ? ", " : "");
			if (type.type == SCHEMA_INT || type.type == SCHEMA_DECIMAL ||
			    type.type == SCHEMA_DOUBLE)
				strbuf_addstr(&b, text);
			else
				maria_add_literal(&b, str_from(text));
		}
		strbuf_addstr(&b, c->comparison == OPERATOR_IN ? ")" : "");
	}
	level->where_sql = arena_strdup(&m->arena, strbuf_str(&b));
	strbuf_done(&b);
	return r;
}

static int resolve_order(struct mapping *m, struct mapping_level *level, struct err *err)
{
	for (size_t i = 0; i < level->n_order; i++) {
		struct schema_column c;
		int r = mapping_resolve_column(m, level, level->order[i].column,
					       level->order[i].node, &c, err);

		if (r < 0)
			return r;
		add_used(level, &c);
	}
	return 0;
}

int mapping_resolve_fields(struct mapping *m, struct mapping_level *level, struct err *err)
{
	bool is_rows = level->kind == FIELD_OBJECT || level->kind == FIELD_ARRAY;
	int r = level->kind == FIELD_TREE ? resolve_tree(m, level, err) : 0;

	for (size_t i = 0; r == 0 && level->kind != FIELD_TREE && i < level->n_fields; i++)
		r = resolve_field(m, level, &level->fields[i], err);
	if (r == 0)
		r = resolve_where(m, level, err);
	if (r == 0)
		r = resolve_order(m, level, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < level->n_links; i++)
		add_used(level, &level->links[i].child_column);
	for (size_t i = 0; is_rows && i < level->n_slots; i++)
		add_used(level, &level->slots[i].type);
	for (size_t i = 0; level->kind == FIELD_TREE && i < level->n_slots; i++)
		add_used(level, &level->slots[i].type);
	return 0;
}
