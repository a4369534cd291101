/*
 * Binding: names of the mapping file to tables, columns and types of the schema. Two passes over
 * the levels, parents first: names and joins, then fields (mapping_fields.c). What the plan keeps
 * of the schema is copied into the mapping's arena, so that the schema may go.
 */
#include "mapping/mapping_int.h"

#include <strings.h>

#include "base/banned.h"

/* --- names ------------------------------------------------------------------------------------ */

static void copy_column(struct mapping *m, struct schema_column *c)
{
	c->name = arena_strdup(&m->arena, c->name);
	c->sql_type = arena_strdup(&m->arena, c->sql_type);
	c->data_type = arena_strdup(&m->arena, c->data_type);
	c->charset = c->charset ? arena_strdup(&m->arena, c->charset) : NULL;
	c->collation = c->collation ? arena_strdup(&m->arena, c->collation) : NULL;
	c->fallback = c->comment = NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && cstr_equal(a, b));
}

/* Whether two tables of one level can stand for each other in this column. */
static bool is_same_type(const struct schema_column *a, const struct schema_column *b)
{
	if (a->type != b->type || a->is_unsigned != b->is_unsigned ||
	    !is_same_text(a->collation, b->collation))
		return false;
	if (a->type == SCHEMA_INT || a->type == SCHEMA_JSON || a->type == SCHEMA_DATE)
		return cstr_equal(a->data_type, "bit") == cstr_equal(b->data_type, "bit");
	if (a->type == SCHEMA_TEXT)
		return cstr_equal(a->data_type, "set") == cstr_equal(b->data_type, "set");
	return cstr_equal(a->sql_type, b->sql_type);
}

int mapping_resolve_column(struct mapping *m, const struct mapping_level *level, const char *name,
			   const struct ynode *node, struct schema_column *ret, struct err *err)
{
	const struct schema *schema = m->schema;
	struct schema_column first = {0};

	for (size_t i = 0; i < level->n_tables; i++) {
		const struct schema_table *t = schema_find_table(schema, level->tables[i].name);
		const struct schema_column *c = schema_find_column(t, name);
		const char *near;
		int r;

		if (!c) {
			near = schema_nearest_column(t, name);
			r = ynode_error(node, err, "table \"%s\" has no column \"%s\"", t->name,
					name);
			if (near)
				err_hint(err, "did you mean \"%s\"?", near);
			if (err)
				err->native = MAPPING_NO_TABLE;
			return r;
		}
		if (c->type == SCHEMA_OTHER)
			return ynode_error(node, err,
					   "column \"%s\" of table \"%s\" has the type %s, which no"
					   " document can hold",
					   name, t->name, c->sql_type);
		if (i == 0) {
			first = *c;
			continue;
		}
		if (!is_same_type(&first, c))
			return ynode_error(
			    node, err,
			    "column \"%s\" is %s in table \"%s\" and %s in table \"%s\":"
			    " tables that are read together need one type",
			    name, first.sql_type, level->tables[0].name, c->sql_type, t->name);
		first.is_nullable = first.is_nullable || c->is_nullable;
	}
	copy_column(m, &first);
	*ret = first;
	return 0;
}

static int resolve_tables(struct mapping *m, const struct schema *schema,
			  struct mapping_level *level, struct err *err)
{
	for (size_t i = 0; i < level->n_tables; i++) {
		struct mapping_table *t = &level->tables[i];
		const struct schema_table *s = schema_find_table(schema, t->name);
		const struct schema_index *key;
		const char *near;
		int r;

		if (!s) {
			near = schema_nearest_table(schema, t->name);
			r = ynode_error(t->node, err, "database \"%s\" has no table \"%s\"",
					schema->database, t->name);
			if (near)
				err_hint(err, "did you mean \"%s\"?", near);
			if (err)
				err->native = MAPPING_NO_TABLE;
			return r;
		}
		if (s->is_view)
			return ynode_error(
			    t->node, err,
			    "\"%s\" is a view: changes are seen by triggers, which only"
			    " tables have",
			    t->name);
		if (strcasecmp(s->engine, "InnoDB") != 0)
			return ynode_error(
			    t->node, err,
			    "table \"%s\" is kept by %s, which has no snapshots: only"
			    " InnoDB tables can be mapped",
			    t->name, s->engine);
		key = schema_primary_key(s);
		if (!key) {
			r = ynode_error(t->node, err, "table \"%s\" has no primary key", t->name);
			err_hint(err, "the order of its rows would be left to chance: add one");
			return r;
		}
		t->rows = s->rows_estimate;
		t->n_key = key->n_columns;
		t->key = arena_alloc(&m->arena, key->n_columns * sizeof(*t->key));
		for (size_t j = 0; j < key->n_columns; j++) {
			t->key[j] = *key->columns[j];
			copy_column(m, &t->key[j]);
		}
	}
	return 0;
}

/* --- joins ------------------------------------------------------------------------------------ */

/* The number in "varchar(80)", 0 without one. */
static size_t declared_length(const struct schema_column *c)
{
	const char *paren = strchr(c->sql_type, '(');
	const char *end = paren ? strchr(paren, ')') : NULL;
	int64_t n = 0;

	if (!end || parse_int64((struct str){paren + 1, (size_t)(end - paren - 1)}, 0, 1 << 20, &n,
				NULL) < 0)
		return 0;
	return (size_t)n;
}

static bool has_data_type(const struct schema_column *c, const char *a, const char *b)
{
	return cstr_equal(c->data_type, a) || cstr_equal(c->data_type, b);
}

/* Bytes of the longest member of an ENUM: the longest text in quotes of "enum('a','b')". */
static size_t longest_member(const struct schema_column *c)
{
	size_t longest = 0, n = 0;

	for (const char *p = c->sql_type; *p; p++) {
		n = *p == '\'' ? 0 : n + 1;
		longest = n > longest ? n : longest;
	}
	return longest;
}

/*
 * Longest key in bytes, 0 when there is no bound. A character takes at most four: as UTF-8, or
 * three as the escape of '%' and ':'.
 */
static size_t key_bytes(const struct schema_column *c)
{
	switch (c->type) {
	case SCHEMA_INT:
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
		return 32;
	case SCHEMA_DECIMAL:
		return 70;
	case SCHEMA_TEXT:
		if (has_data_type(c, "char", "varchar"))
			return 4 * declared_length(c);
		if (cstr_equal(c->data_type, "enum"))
			return 4 * longest_member(c); /* also from a character set of one byte */
		return c->collation ? 0 : 64;	      /* UUID, INET */
	case SCHEMA_BYTES:
		return has_data_type(c, "binary", "varbinary") ? 2 * declared_length(c) : 0;
	case SCHEMA_DOUBLE:
	case SCHEMA_JSON:
	case SCHEMA_OTHER:
		break;
	}
	return 0;
}

/* Whether the column can be a key or join rows: its text names its value. */
static int check_key_column(const struct schema_column *c, const struct ynode *node,
			    struct err *err)
{
	int r;

	if (cstr_equal(c->data_type, "timestamp")) {
		r = ynode_error(
		    node, err,
		    "column \"%s\" is a TIMESTAMP, whose text depends on each session's time"
		    " zone: it can be no key",
		    c->name);
		err_hint(err, "make it a DATETIME");
		return r;
	}
	if (key_bytes(c) == 0)
		return ynode_error(node, err,
				   "column \"%s\" of type %s can be no key and join no rows",
				   c->name, c->sql_type);
	return 0;
}

/* Pages of the root go by its key, in the server's order and with the values as they are read. */
static int check_root_column(const struct schema_column *c, const struct ynode *node,
			     struct err *err)
{
	if (cstr_equal(c->data_type, "enum"))
		return ynode_error(
		    node, err,
		    "column \"%s\" is an ENUM, which is sorted by number and read as "
		    "text: it can be no key of a document",
		    c->name);
	return check_key_column(c, node, err);
}

static int check_key_length(const struct mapping_level *level, bool is_parent, struct err *err)
{
	size_t n = level->n_links - 1;

	for (size_t i = 0; i < level->n_links; i++)
		n += key_bytes(is_parent ? &level->links[i].parent_column
					 : &level->links[i].child_column);
	if (n <= MAPPING_KEY_MAX)
		return 0;
	return ynode_error(
	    level->links[0].node, err,
	    "the key can be %zu bytes long, but %d are the limit: shorten its columns", n,
	    MAPPING_KEY_MAX);
}

static int check_join_types(const struct mapping_link *l, struct err *err)
{
	const struct schema_column *a = &l->child_column, *b = &l->parent_column;
	int r;

	if (a->type != b->type || !is_same_text(a->collation, b->collation)) {
		r = ynode_error(l->node, err,
				"column \"%s\" (%s%s%s) and column \"%s\" (%s%s%s) differ in type",
				a->name, a->sql_type, a->collation ? " " : "",
				a->collation ? a->collation : "", b->name, b->sql_type,
				b->collation ? " " : "", b->collation ? b->collation : "");
		err_hint(err, "columns that join need one type, and texts one collation");
		return r;
	}
	r = check_key_column(a, l->node, err);
	return r < 0 ? r : check_key_column(b, l->node, err);
}

/* Whether the same value has the same key bytes on both sides of a join. */
static bool has_same_bytes(const struct mapping_link *l)
{
	const struct schema_column *a = &l->child_column, *b = &l->parent_column;

	if (!a->is_byte_exact || !b->is_byte_exact)
		return false;
	if (a->type == SCHEMA_DECIMAL || a->type == SCHEMA_DATETIME || a->type == SCHEMA_TIME)
		return cstr_equal(strpbrk(a->sql_type, "(") ? strpbrk(a->sql_type, "(") : "",
				  strpbrk(b->sql_type, "(") ? strpbrk(b->sql_type, "(") : "");
	return true;
}

/* Whether the level's links are the document's key; then they are put into the key's order. */
static bool carries_key(const struct mapping *m, struct mapping_level *level)
{
	const struct mapping_level *root = m->root;

	if (level->kind == FIELD_TREE || level->parent != root || level->n_links != root->n_links)
		return false;
	for (size_t i = 0; i < root->n_links; i++) {
		size_t j = i;
		struct mapping_link found;

		while (j < level->n_links &&
		       !cstr_equal(level->links[j].parent, root->links[i].child))
			j++;
		if (j == level->n_links || !has_same_bytes(&level->links[j]))
			return false;
		found = level->links[j];
		level->links[j] = level->links[i];
		level->links[i] = found;
	}
	return true;
}

/* A -> B -> A by the same columns only finds the rows that it came from. */
static int check_cycle(const struct mapping_level *level, struct err *err)
{
	const struct mapping_level *p = level->parent, *g = p ? p->parent : NULL;

	if (!g || level->n_links != p->n_links ||
	    !cstr_equal(level->tables[0].name, g->tables[0].name))
		return 0;
	for (size_t i = 0; i < level->n_links; i++) {
		size_t j = 0;

		while (j < p->n_links && !(cstr_equal(level->links[i].child, p->links[j].parent) &&
					   cstr_equal(level->links[i].parent, p->links[j].child)))
			j++;
		if (j == p->n_links)
			return 0;
	}
	return ynode_error(
	    level->node, err,
	    "a cycle: \"%s\" goes back to table \"%s\" by the columns by which \"%s\" left it",
	    level->path, g->tables[0].name, p->path);
}

/* The order of a queued value's parts is not that of the file. */
static void sort_links(struct mapping_level *level)
{
	for (size_t i = 1; i < level->n_links; i++) {
		struct mapping_link l = level->links[i];
		size_t j = i;

		for (; j > 0 && strcmp(level->links[j - 1].child, l.child) > 0; j--)
			level->links[j] = level->links[j - 1];
		level->links[j] = l;
	}
}

static int resolve_links(struct mapping *m, struct mapping_level *level, struct err *err)
{
	for (size_t i = 0; i < level->n_links; i++) {
		struct mapping_link *l = &level->links[i];
		int r = mapping_resolve_column(m, level, l->child, l->node, &l->child_column, err);

		if (r < 0)
			return r;
		l->parent_column = l->child_column;
		if (level->is_root) {
			r = check_root_column(&l->child_column, l->node, err);
			if (r < 0)
				return r;
			continue;
		}
		r = mapping_resolve_column(m, level->parent, l->parent, l->node, &l->parent_column,
					   err);
		if (r < 0)
			return r;
		r = check_join_types(l, err);
		if (r < 0)
			return r;
	}
	if (!level->is_root)
		sort_links(level);
	level->carries_key = level->is_root || carries_key(m, level);
	for (size_t i = 0; !level->is_root && i < level->n_links; i++) {
		struct mapping_link *l = &level->links[i];

		l->parent_slot = mapping_add_slot(level->parent, l->parent, &l->parent_column);
	}
	level->is_list = level->n_links == 1 && level->links[0].child_column.type == SCHEMA_INT;
	return check_key_length(level, false, err);
}

/* --- indexes and foreign keys ----------------------------------------------------------------- */

/* Whether a unique index lies within these columns. */
static bool is_unique(const struct schema_table *t, const struct mapping_level *level,
		      bool is_parent, bool wants_not_null)
{
	const struct mapping_link *links = level->links;
	size_t n = level->n_links;

	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct schema_index *x = &t->indexes[i];
		bool is_within = x->is_unique;

		for (size_t j = 0; is_within && j < x->n_columns; j++) {
			size_t k = 0;

			while (k < n && !cstr_equal(is_parent ? links[k].parent : links[k].child,
						    x->columns[j]->name))
				k++;
			is_within = k < n && !(wants_not_null && x->columns[j]->is_nullable);
		}
		if (is_within)
			return true;
	}
	return false;
}

static int check_index(const struct schema *schema, const struct mapping_table *table,
		       const struct mapping_level *level, bool is_parent, struct err *err)
{
	const struct schema_table *t = schema_find_table(schema, table->name);
	const char *names[MAPPING_KEY_COLUMNS_MAX];
	struct strbuf list = STRBUF_INIT(1000);
	int r;

	for (size_t i = 0; i < level->n_links; i++) {
		names[i] = is_parent ? level->links[i].parent : level->links[i].child;
		strbuf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	if (schema_has_index_on(t, names, level->n_links)) {
		strbuf_done(&list);
		return 0;
	}
	r = ynode_error(level->links[0].node, err,
			"no index of table \"%s\" begins with (%s), by which \"%s\" is %s", t->name,
			strbuf_str(&list), level->is_root ? level->tables[0].name : level->path,
			is_parent ? "traced back to its documents" : "read");
	err_hint(err, "CREATE INDEX ix_sync_%.20s ON %s (%s)", names[0], t->name,
		 strbuf_str(&list));
	strbuf_done(&list);
	return r;
}

static bool changes_rows(const char *rule)
{
	return !cstr_equal(rule, "RESTRICT") && !cstr_equal(rule, "NO ACTION");
}

static int check_foreign_keys(const struct schema_table *t, const struct mapping_table *table,
			      struct err *err)
{
	for (size_t i = 0; i < t->n_foreign_keys; i++) {
		const struct schema_foreign_key *k = &t->foreign_keys[i];
		bool on_delete = changes_rows(k->on_delete);
		int r;

		if (!on_delete && !changes_rows(k->on_update))
			continue;
		r = ynode_error(table->node, err,
				"foreign key \"%s\" of table \"%s\" is ON %s %s: a cascade fires no"
				" trigger, so its changes would be lost",
				k->name, t->name, on_delete ? "DELETE" : "UPDATE",
				on_delete ? k->on_delete : k->on_update);
		err_hint(err,
			 "make it RESTRICT and let the application or a trigger change the rows");
		return r;
	}
	return 0;
}

static int check_tree(struct mapping *m, const struct schema *schema, struct mapping_level *level,
		      struct err *err)
{
	struct mapping_link up = {.node = level->tree_parent_node, .child = level->tree_parent};
	struct mapping_level probe = {.n_links = 1, .links = &up, .path = level->path};
	int r = mapping_resolve_column(m, level, level->tree_parent, level->tree_parent_node,
				       &up.child_column, err);

	if (r < 0)
		return r;
	if (up.child_column.type == SCHEMA_BYTES)
		return ynode_error(
		    level->tree_parent_node, err,
		    "column \"%s\" is binary: a tree is followed by numbers, texts or dates",
		    level->tree_parent);
	up.parent_column = level->links[0].child_column;
	r = check_join_types(&up, err);
	if (r < 0)
		return r;
	if (!level->is_single)
		return ynode_error(
		    level->links[0].node, err,
		    "column \"%s\" of table \"%s\" is not unique: it can be no key of a tree",
		    level->links[0].child, level->tables[0].name);
	return check_index(schema, &level->tables[0], &probe, false, err);
}

static int check_level(struct mapping *m, const struct schema *schema, struct mapping_level *level,
		       struct err *err)
{
	const struct schema_table *t;
	int r;

	level->is_single = level->n_tables == 1;
	for (size_t i = 0; i < level->n_tables; i++) {
		t = schema_find_table(schema, level->tables[i].name);
		r = check_foreign_keys(t, &level->tables[i], err);
		if (r == 0)
			r = check_index(schema, &level->tables[i], level, false, err);
		if (r < 0)
			return r;
		if (!is_unique(t, level, false, level->is_root))
			level->is_single = false;
		if (cstr_equal(t->name, m->queue))
			return ynode_error(m->queue_node, err,
					   "the queue is named as a mapped table");
	}
	if (level->is_root)
		return level->is_single
			   ? 0
			   : ynode_error(level->links[0].node, err,
					 "the key of table \"%s\" is not unique and NOT NULL: no"
					 " unique index lies within it",
					 level->tables[0].name);
	level->is_parent_unique = true;
	for (size_t i = 0; i < level->parent->n_tables; i++) {
		t = schema_find_table(schema, level->parent->tables[i].name);
		level->is_parent_unique =
		    level->is_parent_unique && is_unique(t, level, true, false);
	}
	for (size_t i = 0; !level->carries_key && i < level->parent->n_tables; i++) {
		r = check_index(schema, &level->parent->tables[i], level, true, err);
		if (r < 0)
			return r;
	}
	return level->kind == FIELD_TREE ? check_tree(m, schema, level, err) : 0;
}

/* --- all -------------------------------------------------------------------------------------- */

int mapping_bind(struct mapping *m, const struct schema *schema, struct err *err)
{
	int r = 0;

	bug_if(m->is_bound);
	m->schema = schema;
	for (size_t i = 0; r == 0 && i < m->n_levels; i++) {
		r = resolve_tables(m, schema, m->levels[i], err);
		if (r == 0)
			r = resolve_links(m, m->levels[i], err);
		if (r == 0)
			r = check_cycle(m->levels[i], err);
	}
	for (size_t i = 0; r == 0 && i < m->n_levels; i++)
		r = check_level(m, schema, m->levels[i], err);
	for (size_t i = 0; r == 0 && i < m->n_levels; i++)
		r = mapping_resolve_fields(m, m->levels[i], err);
	if (r < 0)
		return r;
	m->schema = NULL;
	mapping_make_reading(m);
	r = mapping_make_paths(m, err);
	if (r < 0)
		return r;
	mapping_make_triggers(m);
	mapping_make_documents(m);
	m->is_bound = true;
	return 0;
}
