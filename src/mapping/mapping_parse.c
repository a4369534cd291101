/*
 * The mapping file: YAML to the unbound plan. What can be said without a database is said here
 * (unknown keys, names, shapes, numbers); tables, columns and types are mapping_bind.c's subject.
 *
 * The syntax is one table of field kinds: the key that makes a field of that kind, the keys that
 * may stand beside it, and the function that reads them.
 */
#include "mapping/mapping_int.h"

#include <stdio.h>

#include "base/banned.h"

#define NAME_MAX_BYTES 120 /* of a collection: MongoDB's 255 for a namespace, with room */

static const char *const top_keys[] = {"collection", "target",	 "table", "key",
				       "queue",	     "on_leave", "where", "fields",
				       "mongodb",    "indexes",	 NULL};

const char *const mapping_pii_classes[] = {"name",	"email",      "phone",	"address",
					   "region",	"birth_date", "moment", "identifier",
					   "financial", "free_text",  NULL};

static const char *const type_names[] = {"bool", "int64",  "decimal", "double", "string",
					 "date", "binary", "json",    NULL};

struct parser {
	struct mapping *m;
	struct err *err;
};

static int read_fields(struct parser *p, struct mapping_level *level, const struct ynode *n);

static int need(struct parser *p, const struct ynode *map, const char *key, const char *what,
		const struct ynode **ret)
{
	*ret = ynode_get(map, key);
	if (*ret)
		return 0;
	ynode_error(map, p->err, "%s has no \"%s\"", what, key);
	return -ERR_INVALID_ARGUMENT;
}

/* A text that is not empty and no null. */
static int read_name(struct parser *p, const struct ynode *n, const char *what, const char **ret)
{
	int r = ynode_text(n, ret, p->err);

	if (r < 0)
		return r;
	if (ynode_is_null(n) || !**ret)
		return ynode_error(n, p->err, "%s is empty", what);
	return 0;
}

static int read_one_of(struct parser *p, const struct ynode *n, const char *what,
		       const char *const *names, const char **ret)
{
	_cleanup_(strbuf_done) struct strbuf all = STRBUF_INIT(1000);
	const char *text, *near;
	int r = read_name(p, n, what, &text);

	if (r < 0)
		return r;
	for (size_t i = 0; names[i]; i++) {
		if (cstr_equal(names[i], text)) {
			*ret = names[i];
			return 0;
		}
		strbuf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	near = cstr_nearest(text, names);
	r = ynode_error(n, p->err, "%s is \"%s\", but can only be one of %s", what, text,
			strbuf_str(&all));
	if (near)
		err_hint(p->err, "did you mean \"%s\"?", near);
	return r;
}

/* A list, or the single value that stands for a list of one. */
static size_t list_len(const struct ynode *n)
{
	return n->kind == YNODE_LIST ? n->len : 1;
}

static const struct ynode *list_item(const struct ynode *n, size_t i)
{
	return n->kind == YNODE_LIST ? &n->children[i] : n;
}

static int need_map(struct parser *p, const struct ynode *n, const char *what)
{
	return n->kind == YNODE_MAP ? 0 : ynode_error(n, p->err, "%s is no map", what);
}

/* --- parts of a level ------------------------------------------------------------------------- */

static struct mapping_level *level_new(struct parser *p, struct mapping_level *parent,
				       enum mapping_field_kind kind, const struct ynode *node,
				       const char *path)
{
	struct mapping *m = p->m;
	struct mapping_level *level = arena_alloc(&m->arena, sizeof(*level));

	*level = (struct mapping_level){.kind = kind, .parent = parent, .node = node, .path = path};
	level->is_root = !parent;
	level->depth = parent ? parent->depth + 1 : 0;
	level->index = m->n_levels;
	level->child_index = parent ? parent->n_children++ : 0;
	mem_grow(&m->levels, &m->levels_cap, m->n_levels + 1, sizeof(struct mapping_level *));
	m->levels[m->n_levels++] = level;
	return level;
}

static int read_tables(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	level->n_tables = list_len(n);
	if (!level->n_tables || level->n_tables > MAPPING_TABLES_MAX)
		return ynode_error(n, p->err, "a list of tables holds 1 to %d tables, not %zu",
				   MAPPING_TABLES_MAX, level->n_tables);
	level->tables = arena_alloc(&p->m->arena, level->n_tables * sizeof(*level->tables));
	for (size_t i = 0; i < level->n_tables; i++) {
		struct mapping_table *t = &level->tables[i];
		int r;

		t->node = list_item(n, i);
		r = read_name(p, t->node, "the table", &t->name);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++) {
			if (cstr_equal(level->tables[j].name, t->name))
				return ynode_error(t->node, p->err, "table \"%s\" is named twice",
						   t->name);
		}
	}
	return 0;
}

static int read_key(struct parser *p, struct mapping_level *root, const struct ynode *n)
{
	root->n_links = list_len(n);
	if (!root->n_links || root->n_links > MAPPING_KEY_COLUMNS_MAX)
		return ynode_error(n, p->err, "a key has 1 to %d columns, not %zu",
				   MAPPING_KEY_COLUMNS_MAX, root->n_links);
	root->links = arena_alloc(&p->m->arena, root->n_links * sizeof(*root->links));
	for (size_t i = 0; i < root->n_links; i++) {
		struct mapping_link *l = &root->links[i];
		int r;

		l->node = list_item(n, i);
		r = read_name(p, l->node, "the key", &l->child);
		if (r < 0)
			return r;
		l->parent = l->child;
		for (size_t j = 0; j < i; j++) {
			if (cstr_equal(root->links[j].child, l->child))
				return ynode_error(l->node, p->err,
						   "key column \"%s\" is named twice", l->child);
		}
	}
	return 0;
}

/* on: {child column: parent column, …} */
static int read_links(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	int r = need_map(p, n, "\"on\"");

	if (r < 0)
		return r;
	level->n_links = n->len;
	if (!n->len || n->len > MAPPING_KEY_COLUMNS_MAX)
		return ynode_error(n, p->err, "\"on\" joins 1 to %d columns, not %zu",
				   MAPPING_KEY_COLUMNS_MAX, n->len);
	level->links = arena_alloc(&p->m->arena, n->len * sizeof(*level->links));
	for (size_t i = 0; i < n->len; i++) {
		struct mapping_link *l = &level->links[i];

		l->node = &n->children[i];
		l->child = l->node->key;
		r = read_name(p, l->node, "the parent's column", &l->parent);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct {
	const char *text;
	enum mapping_operator comparison;
} operators[] = {
    {"=", OPERATOR_EQ}, {"!=", OPERATOR_NE}, {"<", OPERATOR_LT},  {"<=", OPERATOR_LE},
    {">", OPERATOR_GT}, {">=", OPERATOR_GE}, {"in", OPERATOR_IN},
};

static int add_condition(struct parser *p, struct mapping_level *level, const char *column,
			 enum mapping_operator comparison, const struct ynode *value)
{
	struct mapping_condition *c = &level->where[level->n_where];

	*c = (struct mapping_condition){.node = value, .column = column, .comparison = comparison};
	if (comparison == OPERATOR_IN) {
		if (value->kind != YNODE_LIST || !value->len)
			return ynode_error(value, p->err, "\"in\" wants a list of values");
		c->n_values = value->len;
	} else if (value->kind != YNODE_SCALAR) {
		return ynode_error(value, p->err, "a single value is wanted here");
	} else if (ynode_is_null(value)) {
		if (comparison != OPERATOR_EQ && comparison != OPERATOR_NE)
			return ynode_error(value, p->err, "null can only be tested by = and !=");
		c->comparison = comparison == OPERATOR_EQ ? OPERATOR_IS_NULL : OPERATOR_IS_NOT_NULL;
	} else {
		c->n_values = 1;
	}
	c->values = arena_alloc(&p->m->arena, (c->n_values + 1) * sizeof(*c->values));
	for (size_t i = 0; i < c->n_values; i++) {
		c->values[i] = list_item(value, i);
		if (c->values[i]->kind != YNODE_SCALAR || ynode_is_null(c->values[i]))
			return ynode_error(c->values[i], p->err, "a single value is wanted here");
	}
	level->n_where++;
	return 0;
}

static int read_operators(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	static const char *const names[] = {"=", "!=", "<", "<=", ">", ">=", "in", NULL};
	int r = ynode_check_keys(n, "a filter", names, p->err);

	if (r < 0)
		return r;
	if (!n->len)
		return ynode_error(n, p->err, "a filter without operator");
	for (size_t i = 0; i < n->len; i++) {
		for (size_t j = 0; j < ARRAY_LEN(operators); j++) {
			if (!cstr_equal(operators[j].text, n->children[i].key))
				continue;
			r = add_condition(p, level, n->key, operators[j].comparison,
					  &n->children[i]);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* where: {column: value, column: [values], column: {operator: value, …}} */
static int read_where(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	size_t max = 0;
	int r;

	if (!n)
		return 0;
	r = need_map(p, n, "\"where\"");
	if (r < 0)
		return r;
	for (size_t i = 0; i < n->len; i++)
		max += n->children[i].kind == YNODE_MAP ? n->children[i].len : 1;
	level->where = arena_alloc(&p->m->arena, (max + 1) * sizeof(*level->where));
	for (size_t i = 0; i < n->len; i++) {
		const struct ynode *c = &n->children[i];

		if (c->kind == YNODE_MAP)
			r = read_operators(p, level, c);
		else
			r = add_condition(p, level, c->key,
					  c->kind == YNODE_LIST ? OPERATOR_IN : OPERATOR_EQ, c);
		if (r < 0)
			return r;
	}
	return 0;
}

/* order: [column, "column desc"] */
static int read_order(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	if (!n)
		return 0;
	level->n_order = list_len(n);
	level->order = arena_alloc(&p->m->arena, (level->n_order + 1) * sizeof(*level->order));
	for (size_t i = 0; i < level->n_order; i++) {
		struct mapping_order *o = &level->order[i];
		const char *text, *space;
		int r;

		o->node = list_item(n, i);
		r = read_name(p, o->node, "the order", &text);
		if (r < 0)
			return r;
		space = strrchr(text, ' ');
		o->is_descending = space && cstr_equal(space, " desc");
		if (space && (o->is_descending || cstr_equal(space, " asc")))
			text = arena_strndup(&p->m->arena, text, (size_t)(space - text));
		o->column = text;
	}
	return 0;
}

static int read_limit(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	return n ? ynode_int(n, 1, 100000, &level->limit, p->err) : 0;
}

/* --- fields ----------------------------------------------------------------------------------- */

static int check_field_name(struct parser *p, const struct mapping_level *level,
			    const struct ynode *n)
{
	const char *name = n->key;

	if (!*name)
		return ynode_key_error(n, p->err, "a field has an empty name");
	if (*name == '$')
		return ynode_key_error(
		    n, p->err, "field \"%s\" begins with \"$\", which MongoDB reserves", name);
	if (strchr(name, '.'))
		return ynode_key_error(
		    n, p->err, "field \"%s\" has a dot, which MongoDB reads as a path", name);
	if (!level->parent && (cstr_equal(name, "_id") || cstr_equal(name, "_sync")))
		return ynode_key_error(n, p->err, "field \"%s\" is set by the sync itself", name);
	if (strlen(name) > NAME_MAX_BYTES)
		return ynode_key_error(n, p->err, "a field's name is longer than %d bytes",
				       NAME_MAX_BYTES);
	return 0;
}

static int read_column(struct parser *p, struct mapping_level *level, struct mapping_field *f,
		       const struct ynode *n)
{
	const struct ynode *type = ynode_get(n, "type");

	(void)level;
	f->column_node = ynode_get(n, "column");
	if (type) {
		int r = read_one_of(p, type, "the type", type_names, &f->type);

		if (r < 0)
			return r;
	}
	return read_name(p, f->column_node, "the column", &f->column);
}

static int read_concat(struct parser *p, struct mapping_level *level, struct mapping_field *f,
		       const struct ynode *n)
{
	static const char *const keys[] = {"column", NULL};
	const struct ynode *list = ynode_get(n, "concat");

	(void)level;
	if (list->kind != YNODE_LIST || !list->len)
		return ynode_error(list, p->err,
				   "\"concat\" wants a list of texts and {column: NAME}");
	f->n_parts = list->len;
	f->parts = arena_alloc(&p->m->arena, list->len * sizeof(*f->parts));
	for (size_t i = 0; i < list->len; i++) {
		const struct ynode *item = &list->children[i];
		struct mapping_part *part = &f->parts[i];
		int r;

		part->node = item;
		if (item->kind == YNODE_SCALAR) {
			r = ynode_text(item, &part->text, p->err);
		} else {
			r = ynode_check_keys(item, "a part of \"concat\"", keys, p->err);
			if (r == 0)
				r = need(p, item, "column", "a part of \"concat\"", &part->node);
			if (r == 0)
				r = read_name(p, part->node, "the column", &part->column);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_constant(struct parser *p, struct mapping_level *level, struct mapping_field *f,
			 const struct ynode *n)
{
	struct mapping *m = p->m;

	(void)level;
	f->constant = bson_new();
	mem_grow(&m->constants, &m->constants_cap, m->n_constants + 1, sizeof(bson_t *));
	m->constants[m->n_constants++] = f->constant;
	return mapping_append_yaml(f->constant, f->name, ynode_get(n, "constant"), p->err);
}

/* What object, array, aggregate and path have in common. */
static int read_related(struct parser *p, struct mapping_level *parent, struct mapping_field *f,
			const struct ynode *n, const char *kind)
{
	const struct ynode *tables = ynode_get(n, kind), *on = NULL;
	struct mapping_level *level;
	int r;

	if (parent->depth == MAPPING_DEPTH_MAX)
		return ynode_key_error(n, p->err, "\"%s\" is nested deeper than %d levels", f->path,
				       MAPPING_DEPTH_MAX);
	if (p->m->n_levels == MAPPING_LEVELS_MAX)
		return ynode_key_error(n, p->err, "a mapping holds at most %d related tables",
				       MAPPING_LEVELS_MAX);
	level = level_new(p, parent, f->kind, n, f->path);
	f->level = level;
	r = read_tables(p, level, tables);
	if (r == 0)
		r = need(p, n, "on", kind, &on);
	if (r == 0)
		r = read_links(p, level, on);
	if (r == 0)
		r = read_where(p, level, ynode_get(n, "where"));
	if (r == 0)
		r = read_order(p, level, ynode_get(n, "order"));
	if (r == 0)
		r = read_limit(p, level, ynode_get(n, "limit"));
	return r;
}

static int read_object(struct parser *p, struct mapping_level *parent, struct mapping_field *f,
		       const struct ynode *n)
{
	const struct ynode *fields = NULL;
	int r = read_related(p, parent, f, n, "object");

	if (r == 0)
		r = need(p, n, "fields", "an object", &fields);
	return r == 0 ? read_fields(p, f->level, fields) : r;
}

static int read_field(struct parser *p, struct mapping_level *level, struct mapping_field *f,
		      const struct ynode *n, const char *name);

static int read_array(struct parser *p, struct mapping_level *parent, struct mapping_field *f,
		      const struct ynode *n)
{
	const struct ynode *fields = ynode_get(n, "fields"), *value = ynode_get(n, "value");
	int r = read_related(p, parent, f, n, "array");

	if (r < 0)
		return r;
	if (!fields == !value)
		return ynode_error(n, p->err, "an array has either \"fields\" or \"value\"");
	if (fields)
		return read_fields(p, f->level, fields);
	f->level->is_values = true;
	f->level->n_fields = 1;
	f->level->fields = arena_alloc(&p->m->arena, sizeof(*f->level->fields));
	return read_field(p, f->level, &f->level->fields[0], value, "");
}

static const struct {
	const char *name;
	enum mapping_figure figure;
} figures[] = {
    {"count", FIGURE_COUNT}, {"sum", FIGURE_SUM}, {"avg", FIGURE_AVG},
    {"min", FIGURE_MIN},     {"max", FIGURE_MAX},
};

/* name: count, or name: {sum: column} */
static int read_figure(struct parser *p, struct mapping_field *f, const struct ynode *n)
{
	static const char *const keys[] = {"count", "sum", "avg", "min", "max", "pii", NULL};
	const struct ynode *pii;
	int r;

	f->kind = FIELD_FIGURE;
	if (n->kind == YNODE_SCALAR && cstr_equal(n->text, "count"))
		return 0;
	if (n->kind != YNODE_MAP)
		return ynode_error(n, p->err,
				   "a figure is \"count\" or one of {count: COLUMN}, {sum: COLUMN},"
				   " {avg: COLUMN}, {min: COLUMN}, {max: COLUMN}");
	r = ynode_check_keys(n, "a figure", keys, p->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		const struct ynode *c = ynode_get(n, figures[i].name);

		if (!c)
			continue;
		if (f->column)
			return ynode_key_error(c, p->err, "a figure has only one function");
		f->figure = figures[i].figure;
		f->column_node = c;
		r = read_name(p, c, "the column", &f->column);
		if (r < 0)
			return r;
	}
	if (!f->column)
		return ynode_error(n, p->err, "a figure names no function");
	pii = ynode_get(n, "pii");
	return pii ? read_one_of(p, pii, "the PII class", mapping_pii_classes, &f->pii) : 0;
}

static const char *join_path(struct parser *p, const struct mapping_level *level, const char *name)
{
	if (level->is_root)
		return name;
	return *name ? arena_printf(&p->m->arena, "%s.%s", level->path, name) : level->path;
}

static void name_field(struct parser *p, const struct mapping_level *level, struct mapping_field *f,
		       const struct ynode *n, const char *name)
{
	f->node = n;
	f->name = name;
	f->name_len = (int)strlen(name);
	f->path = join_path(p, level, name);
	f->slot = MAPPING_NO_SLOT;
}

static int read_aggregate(struct parser *p, struct mapping_level *parent, struct mapping_field *f,
			  const struct ynode *n)
{
	struct mapping_level *level;
	const struct ynode *values = NULL;
	int r = read_related(p, parent, f, n, "aggregate");

	if (r == 0)
		r = need(p, n, "values", "an aggregate", &values);
	if (r == 0)
		r = need_map(p, values, "\"values\"");
	if (r != 0)
		return r;
	if (!values->len)
		return ynode_error(values, p->err, "an aggregate without values");
	level = f->level;
	level->fields = arena_alloc(&p->m->arena, values->len * sizeof(*level->fields));
	for (size_t i = 0; i < values->len; i++) {
		r = check_field_name(p, level, &values->children[i]);
		if (r < 0)
			return r;
		name_field(p, level, &level->fields[i], &values->children[i],
			   values->children[i].key);
		level->n_fields++;
		r = read_figure(p, &level->fields[i], &values->children[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_tree(struct parser *p, struct mapping_level *parent, struct mapping_field *f,
		     const struct ynode *n)
{
	struct mapping_level *level;
	int r = read_related(p, parent, f, n, "path");

	if (r < 0)
		return r;
	level = f->level;
	if (level->n_tables != 1 || level->n_links != 1)
		return ynode_error(n, p->err, "a path follows one table by one column");
	r = need(p, n, "parent", "a path", &level->tree_parent_node);
	if (r == 0)
		r = read_name(p, level->tree_parent_node, "the parent's column",
			      &level->tree_parent);
	if (r == 0)
		r = need(p, n, "field", "a path", &level->tree_field_node);
	if (r == 0)
		r = read_name(p, level->tree_field_node, "the field", &level->tree_field);
	if (r < 0)
		return r;
	if (cstr_equal(level->tree_parent, level->links[0].child))
		return ynode_error(
		    level->tree_parent_node, p->err,
		    "a cycle: column \"%s\" is the key and the parent of the same node",
		    level->tree_parent);
	level->is_values = true;
	level->n_fields = 1;
	level->fields = arena_alloc(&p->m->arena, sizeof(*level->fields));
	name_field(p, level, &level->fields[0], level->tree_field_node, "");
	level->fields[0].column = level->tree_field;
	level->fields[0].column_node = level->tree_field_node;
	return 0;
}

static const struct field_syntax {
	const char *key;
	enum mapping_field_kind kind;
	const char *allowed[10];
	int (*read)(struct parser *, struct mapping_level *, struct mapping_field *,
		    const struct ynode *);
} syntax[] = {
    {"column", FIELD_COLUMN, {"column", "type", "pii"}, read_column},
    {"concat", FIELD_CONCAT, {"concat", "pii"}, read_concat},
    {"constant", FIELD_CONSTANT, {"constant"}, read_constant},
    {"object", FIELD_OBJECT, {"object", "on", "where", "order", "fields", "pii"}, read_object},
    {"array",
     FIELD_ARRAY,
     {"array", "on", "where", "order", "limit", "fields", "value", "pii"},
     read_array},
    {"aggregate", FIELD_AGGREGATE, {"aggregate", "on", "where", "values", "pii"}, read_aggregate},
    {"path", FIELD_TREE, {"path", "on", "parent", "field", "pii"}, read_tree},
};

static const struct field_syntax *find_syntax(const struct ynode *n)
{
	for (size_t i = 0; i < ARRAY_LEN(syntax); i++) {
		if (ynode_get(n, syntax[i].key))
			return &syntax[i];
	}
	return NULL;
}

static int read_field(struct parser *p, struct mapping_level *level, struct mapping_field *f,
		      const struct ynode *n, const char *name)
{
	const struct field_syntax *s;
	const struct ynode *pii;
	int r;

	name_field(p, level, f, n, name);
	if (n->kind == YNODE_SCALAR) { /* name: column */
		f->kind = FIELD_COLUMN;
		f->column_node = n;
		return read_name(p, n, "the column", &f->column);
	}
	if (n->kind == YNODE_LIST)
		return ynode_error(n, p->err, "a field is a column's name or a map");
	s = find_syntax(n);
	if (!s)
		return ynode_error(
		    n, p->err,
		    "field \"%s\" says nothing of where it comes from: it wants one of"
		    " column, concat, constant, object, array, aggregate, path",
		    f->path);
	if (level->is_values && s->kind != FIELD_COLUMN && s->kind != FIELD_CONCAT)
		return ynode_error(n, p->err, "the value of an array is a column or a \"concat\"");
	f->kind = s->kind;
	r = ynode_check_keys(n, "a field", s->allowed, p->err);
	if (r < 0)
		return r;
	pii = ynode_get(n, "pii");
	if (pii) {
		r = read_one_of(p, pii, "the PII class", mapping_pii_classes, &f->pii);
		if (r < 0)
			return r;
	}
	return s->read(p, level, f, n);
}

static int read_fields(struct parser *p, struct mapping_level *level, const struct ynode *n)
{
	int r = need_map(p, n, "\"fields\"");

	if (r < 0)
		return r;
	if (!n->len)
		return ynode_error(n, p->err, "\"fields\" is empty");
	level->fields = arena_alloc(&p->m->arena, n->len * sizeof(*level->fields));
	for (size_t i = 0; i < n->len; i++) {
		r = check_field_name(p, level, &n->children[i]);
		if (r < 0)
			return r;
		level->n_fields++;
		r = read_field(p, level, &level->fields[i], &n->children[i], n->children[i].key);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int read_identity(struct parser *p, const struct ynode *top)
{
	static const char *const targets[] = {"mongodb", "none", NULL};
	static const char *const leaves[] = {"delete", "keep", NULL};
	const struct ynode *target = ynode_get(top, "target"), *leave = ynode_get(top, "on_leave");
	const char *text = "mongodb", *on_leave = "delete";
	struct mapping *m = p->m;
	int r = need(p, top, "collection", "the mapping", &m->collection_node);

	if (r == 0)
		r = read_name(p, m->collection_node, "the collection", &m->collection);
	if (r == 0)
		r = need(p, top, "queue", "the mapping", &m->queue_node);
	if (r == 0)
		r = read_name(p, m->queue_node, "the queue", &m->queue);
	if (r == 0 && target)
		r = read_one_of(p, target, "the target", targets, &text);
	if (r == 0 && leave)
		r = read_one_of(p, leave, "\"on_leave\"", leaves, &on_leave);
	if (r < 0)
		return r;
	m->has_target = cstr_equal(text, "mongodb");
	m->keeps_on_leave = cstr_equal(on_leave, "keep");
	if (strchr(m->collection, '$') || strncmp(m->collection, "system.", 7) == 0 ||
	    strlen(m->collection) > NAME_MAX_BYTES)
		return ynode_error(m->collection_node, p->err,
				   "\"%s\" is no name for a collection: it has \"$\", begins with"
				   " \"system.\" or is longer than %d bytes",
				   m->collection, NAME_MAX_BYTES);
	if (strlen(m->queue) > 64)
		return ynode_error(m->queue_node, p->err,
				   "a table's name has at most 64 characters");
	return 0;
}

static int check_own_fields(struct parser *p)
{
	const struct ynode *n = p->m->mongodb_node;
	int r = need_map(p, n, "\"mongodb\"");

	if (r < 0)
		return r;
	for (size_t i = 0; i < n->len; i++) {
		r = check_field_name(p, p->m->root, &n->children[i]);
		if (r < 0)
			return r;
		for (size_t j = 0; j < p->m->root->n_fields; j++) {
			if (cstr_equal(p->m->root->fields[j].name, n->children[i].key))
				return ynode_key_error(
				    &n->children[i], p->err,
				    "the name \"%s\" is used twice: it is a field"
				    " of the mapping and one of MongoDB's own",
				    n->children[i].key);
		}
	}
	return 0;
}

static int read_file(struct parser *p, const struct ynode *top)
{
	const struct ynode *table = NULL, *key = NULL, *fields = NULL;
	struct mapping *m = p->m;
	int r = ynode_check_keys(top, "a mapping", top_keys, p->err);

	if (r == 0)
		r = read_identity(p, top);
	if (r == 0)
		r = need(p, top, "table", "the mapping", &table);
	if (r == 0)
		r = need(p, top, "key", "the mapping", &key);
	if (r == 0)
		r = need(p, top, "fields", "the mapping", &fields);
	if (r != 0)
		return r;
	m->root = level_new(p, NULL, FIELD_OBJECT, top, "");
	r = read_tables(p, m->root, table);
	if (r == 0 && m->root->n_tables != 1)
		r = ynode_error(table, p->err, "a mapping has one root table");
	if (r == 0)
		r = read_key(p, m->root, key);
	if (r == 0)
		r = read_where(p, m->root, ynode_get(top, "where"));
	if (r == 0)
		r = read_fields(p, m->root, fields);
	m->mongodb_node = ynode_get(top, "mongodb");
	m->indexes_node = ynode_get(top, "indexes");
	if (r == 0 && m->mongodb_node)
		r = check_own_fields(p);
	if (r == 0)
		r = mapping_make_initial(m, p->err);
	return r == 0 ? mapping_make_indexes(m, p->err) : r;
}

static int parse_document(struct ydoc *doc, const char *file, struct mapping **ret, struct err *err)
{
	_cleanup_(mapping_freep) struct mapping *m = MEM_NEW(struct mapping);
	struct parser p = {.m = m, .err = err};
	int r;

	m->doc = doc;
	m->file = arena_strdup(&m->arena, file);
	r = read_file(&p, ydoc_root(doc));
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

int mapping_parse(const char *file, const char *text, size_t len, struct mapping **ret,
		  struct err *err)
{
	struct ydoc *doc;
	int r = ydoc_parse(file, text, len, &doc, err);

	return r < 0 ? r : parse_document(doc, file, ret, err);
}

int mapping_load(const char *path, struct mapping **ret, struct err *err)
{
	struct ydoc *doc;
	int r = ydoc_load(path, &doc, err);

	return r < 0 ? r : parse_document(doc, path, ret, err);
}

struct mapping *mapping_free(struct mapping *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n_constants; i++)
		bson_destroy(m->constants[i]);
	for (size_t i = 0; i < m->n_levels; i++) {
		mem_free(m->levels[i]->slots);
		mem_free(m->levels[i]->used);
	}
	for (size_t i = 0; i < m->n_changes; i++)
		mem_free(m->changes[i].used);
	bson_destroy(m->initial);
	bson_destroy(m->indexes);
	bson_destroy(m->validator);
	mem_free(m->constants);
	mem_free(m->levels);
	mem_free(m->changes);
	mem_free(m->paths);
	mem_free(m->ways);
	mem_free(m->fanouts);
	mem_free(m->statements);
	ydoc_free(m->doc);
	arena_done(&m->arena);
	mem_free(m);
	return NULL;
}
