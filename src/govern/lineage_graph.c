/*
 * The graph of what is made of what: see lineage_graph.h. Datasets and columns are numbers; names
 * are found by one map, edges by another, so that each is there once.
 */
#include "govern/lineage_int.h"

#include "govern/access_int.h"
#include "govern/govern_sql_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/banned.h"

static const struct {
	const char *name;
	bool is_direct;
} uses[LINEAGE_USES] = {
    [LINEAGE_SAME] = {"IDENTITY", true},
    [LINEAGE_CONVERTED] = {"TRANSFORMATION", true},
    [LINEAGE_AGGREGATE] = {"AGGREGATION", true},
    [LINEAGE_PART] = {"TRANSFORMATION", true},
    [LINEAGE_JOIN] = {"JOIN", false},
    [LINEAGE_FILTER] = {"FILTER", false},
    [LINEAGE_SORT] = {"SORT", false},
};

bool lineage_use_is_direct(enum lineage_use use)
{
	return uses[use].is_direct;
}

const char *lineage_use_name(enum lineage_use use)
{
	return uses[use].name;
}

static const char *const kinds[LINEAGE_KINDS] = {"table",     "view", "collection", "index",
						 "warehouse", "file", "routine"};

const char *lineage_kind_name(enum lineage_kind kind)
{
	return kinds[kind];
}

/* --- classes of personal data ---------------------------------------------------------------- */

void lineage_set_class(struct lineage_graph *g, size_t column, const char *name)
{
	struct lineage_column *c = &g->columns[column];

	c->classes = 0;
	c->is_classed = name != NULL;
	for (uint32_t i = 0; name && i < LINEAGE_CLASSES && mapping_pii_classes[i]; i++)
		c->classes |= (uint32_t)cstr_equal(mapping_pii_classes[i], name) << i;
}

size_t lineage_class_names(uint32_t classes, const char *ret[LINEAGE_CLASSES])
{
	size_t n = 0;

	for (uint32_t i = 0; i < LINEAGE_CLASSES && mapping_pii_classes[i]; i++)
		if (classes >> i & 1)
			ret[n++] = mapping_pii_classes[i];
	return n;
}

/* --- datasets and columns -------------------------------------------------------------------- */

/* MariaDB's names are the same in any case of their letters, as people type them. */
static struct str name_key(struct arena *arena, enum lineage_kind kind, const char *first,
			   const char *second)
{
	bool folds = kind == LINEAGE_TABLE || kind == LINEAGE_VIEW || kind == LINEAGE_WAREHOUSE ||
		     kind == LINEAGE_ROUTINE;
	struct str key = str_from(arena_printf(arena, "%d/%s/%s", (int)kind, first, second));

	for (size_t i = 0; i < key.len && folds; i++)
		((char *)(uintptr_t)key.data)[i] = (char)tolower((unsigned char)key.data[i]);
	return key;
}

size_t lineage_find_node(const struct lineage_graph *g, enum lineage_kind kind, const char *name)
{
	_cleanup_(arena_done) struct arena arena = {0};

	return (uintptr_t)map_get(&g->by_name, name_key(&arena, kind, name, "")) - 1;
}

size_t lineage_find_column(const struct lineage_graph *g, size_t node, const char *name)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *number = arena_printf(&arena, "%zu", node);

	return (uintptr_t)map_get(&g->by_name, name_key(&arena, g->nodes[node].kind, number,
							arena_printf(&arena, ".%s", name))) -
	       1;
}

size_t lineage_add_column(struct lineage_graph *g, size_t node, const char *name)
{
	struct lineage_node *n = &g->nodes[node];
	size_t found = lineage_find_column(g, node, name);

	if (found != LINEAGE_NONE)
		return found;
	mem_grow(&g->columns, &g->columns_cap, g->n_columns + 1, sizeof(*g->columns));
	g->columns[g->n_columns] = (struct lineage_column){
	    .name = arena_strdup(&g->arena, name), .type = "", .meaning = "", .node = node};
	mem_grow(&n->columns, &n->columns_cap, n->n_columns + 1, sizeof(*n->columns));
	n->columns[n->n_columns++] = g->n_columns++;
	*map_put(&g->by_name, name_key(&g->arena, n->kind, arena_printf(&g->arena, "%zu", node),
				       arena_printf(&g->arena, ".%s", name))) =
	    (void *)(uintptr_t)g->n_columns;
	return g->n_columns - 1;
}

size_t lineage_add_node(struct lineage_graph *g, enum lineage_kind kind, const char *name,
			const char *meaning)
{
	size_t found = lineage_find_node(g, kind, name);

	if (found != LINEAGE_NONE)
		return found;
	mem_grow(&g->nodes, &g->nodes_cap, g->n_nodes + 1, sizeof(*g->nodes));
	g->nodes[g->n_nodes] = (struct lineage_node){.kind = kind,
						     .name = arena_strdup(&g->arena, name),
						     .meaning = arena_strdup(&g->arena, meaning)};
	*map_put(&g->by_name, name_key(&g->arena, kind, name, "")) =
	    (void *)(uintptr_t)++g->n_nodes;
	(void)lineage_add_column(g, g->n_nodes - 1, "");
	return g->n_nodes - 1;
}

void lineage_add_edge(struct lineage_graph *g, size_t from, size_t to, enum lineage_use use)
{
	struct str key = str_from(arena_printf(&g->arena, "%zu>%zu", from, to));
	void **slot;

	if (from == to)
		return;
	slot = map_put(&g->by_edge, key);
	if (*slot) {
		struct lineage_edge *e = &g->edges[(uintptr_t)*slot - 1];

		e->use = use < e->use ? use : e->use;
		return;
	}
	mem_grow(&g->edges, &g->edges_cap, g->n_edges + 1, sizeof(*g->edges));
	g->edges[g->n_edges++] = (struct lineage_edge){from, to, use};
	*slot = (void *)(uintptr_t)g->n_edges;
}

struct lineage_graph *lineage_graph_free(struct lineage_graph *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->n_nodes; i++)
		mem_free(g->nodes[i].columns);
	mem_free(g->nodes);
	mem_free(g->columns);
	mem_free(g->edges);
	mem_free(g->reads);
	mem_free(g->texts);
	map_done(&g->by_name);
	map_done(&g->by_read);
	map_done(&g->by_edge);
	arena_done(&g->arena);
	mem_free(g);
	return NULL;
}

/* --- tables and collections ------------------------------------------------------------------ */

static void add_tables(struct lineage_graph *g, const struct lineage_parts *p)
{
	for (size_t i = 0; i < p->schema->n_tables; i++) {
		const struct schema_table *t = &p->schema->tables[i];
		enum lineage_kind kind = t->is_view ? LINEAGE_VIEW : LINEAGE_TABLE;
		size_t node = lineage_add_node(g, kind, t->name, t->comment ? t->comment : "");

		for (size_t j = 0; j < t->n_columns; j++) {
			const struct schema_column *c = &t->columns[j];
			size_t id = lineage_add_column(g, node, c->name);

			g->columns[id].type = arena_strdup(&g->arena, c->sql_type);
			g->columns[id].meaning =
			    arena_strdup(&g->arena, c->comment ? c->comment : "");
			lineage_set_class(
			    g, id, p->access ? access_class(p->access, t->name, c->name) : NULL);
		}
	}
}

struct mapped {
	struct lineage_graph *g;
	size_t node;
	bool classes; /* columns of tables get theirs from fields */
};

static void add_field(void *arg, const char *field, const char *type, const char *pii)
{
	struct mapped *m = arg;
	size_t id = lineage_add_column(m->g, m->node, field);

	m->g->columns[id].type = type;
	lineage_set_class(m->g, id, pii);
}

static void add_source(void *arg, const struct mapping_source *s)
{
	static const enum lineage_use use_of[] = {
	    [MAPPING_USE_SAME] = LINEAGE_SAME,
	    [MAPPING_USE_CONVERTED] = LINEAGE_CONVERTED,
	    [MAPPING_USE_AGGREGATE] = LINEAGE_AGGREGATE,
	    [MAPPING_USE_JOIN] = LINEAGE_JOIN,
	    [MAPPING_USE_FILTER] = LINEAGE_FILTER,
	    [MAPPING_USE_SORT] = LINEAGE_SORT,
	};
	struct mapped *m = arg;
	size_t table = lineage_add_node(m->g, LINEAGE_TABLE, s->table, "");
	size_t from = lineage_add_column(m->g, table, s->column);

	lineage_add_edge(m->g, from, lineage_add_column(m->g, m->node, s->field), use_of[s->use]);
	if (m->classes && !m->g->columns[from].is_classed)
		lineage_set_class(m->g, from, s->pii);
}

static void add_mappings(struct lineage_graph *g, const struct lineage_parts *p)
{
	for (size_t i = 0; p->mappings && i < p->mappings->len; i++) {
		const struct mapping *m = p->mappings->items[i];
		struct mapped mapped = {
		    g, lineage_add_node(g, LINEAGE_COLLECTION, mapping_collection(m), ""),
		    !p->access};

		g->nodes[mapped.node].version = arena_strdup(&g->arena, mapping_hash(m));
		(void)lineage_add_column(g, mapped.node, "_id");
		mapping_each_field(m, add_field, &mapped);
		mapping_each_source(m, add_source, &mapped);
	}
}

/* --- the index ------------------------------------------------------------------------------- */

/* Whether a path of the rules reads a field: itself, what is below it, or within it (JSON). */
static bool reads(const char *path, const char *field)
{
	size_t n = strlen(path), m = strlen(field);
	size_t least = n < m ? n : m;

	return strncmp(path, field, least) == 0 && (n == m || (n < m ? field : path)[least] == '.');
}

struct indexed {
	struct lineage_graph *g;
	size_t node, collection;
};

static void add_path(struct indexed *x, const char *path, const char *into)
{
	size_t to = lineage_add_column(x->g, x->node, into);

	/* Columns may be added to other nodes meanwhile: their list is read anew each time. */
	for (size_t i = 1; i < x->g->nodes[x->collection].n_columns; i++) {
		size_t from = x->g->nodes[x->collection].columns[i];

		if (reads(path, x->g->columns[from].name))
			lineage_add_edge(x->g, from, to, LINEAGE_CONVERTED);
	}
}

static void add_parts(struct indexed *x, const struct search_part *parts, size_t n,
		      const char *into)
{
	for (size_t i = 0; i < n; i++)
		if (parts[i].kind != SEARCH_PART_SAY)
			add_path(x, parts[i].text, into);
}

static void add_collection(struct indexed *x, const struct search_collection *c)
{
	struct arena *arena = &x->g->arena;

	if (c->title)
		add_path(x, c->title, "title");
	for (size_t i = 0; i < c->n_compositions; i++) {
		const struct search_composition *k = &c->compositions[i];

		add_parts(x, k->parts, k->n_parts, "meaning");
		if (k->when)
			add_path(x, k->when, "meaning");
	}
	for (size_t i = 0; i < c->n_fields; i++)
		add_parts(x, c->fields[i].parts, c->fields[i].n_parts,
			  arena_printf(arena, "words.%s", c->fields[i].name));
	for (size_t i = 0; i < c->n_attributes; i++)
		for (size_t j = 0; j < c->attributes[i].n_paths; j++)
			add_path(x, c->attributes[i].paths[j],
				 arena_printf(arena, "attributes.%s", c->attributes[i].name));
	for (size_t i = 0; i < c->n_shown; i++)
		add_path(x, c->shown[i].path, arena_printf(arena, "shown.%s", c->shown[i].name));
}

static void add_rules(struct lineage_graph *g, const struct search_rules *rules)
{
	const struct search_collection *list = NULL;
	size_t n = rules ? search_rules_collections(rules, &list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct indexed x = {.g = g};

		if (!list[i].mapping)
			continue;
		x.collection = lineage_find_node(g, LINEAGE_COLLECTION, list[i].name);
		x.node = lineage_add_node(g, LINEAGE_INDEX, list[i].name, "");
		add_collection(&x, &list[i]);
	}
}

/* --- views and the warehouse ----------------------------------------------------------------- */

static int add_views(struct lineage_graph *g, const struct lineage_parts *p, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(p->db, govern_sql_lineage_views, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		size_t view = lineage_find_node(g, LINEAGE_VIEW, maria_rows_str(rows, 0).data);

		if (view != LINEAGE_NONE && maria_rows_str(rows, 1).data)
			lineage_read_view(g, p->schema->database, view, maria_rows_str(rows, 1));
	}
	return r;
}

static int add_warehouse(struct lineage_graph *g, const struct lineage_parts *p, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(p->db, govern_sql_lineage_columns, MARIA_ARGS(MARIA_S(p->warehouse)),
			    &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		(void)lineage_add_column(
		    g, lineage_add_node(g, LINEAGE_WAREHOUSE, maria_rows_str(rows, 0).data, ""),
		    maria_rows_str(rows, 1).data);
	return r;
}

/* --- generated columns ------------------------------------------------------------------------ */

void lineage_read_generated(struct lineage_graph *g, size_t node, size_t column,
			    struct str expression)
{
	struct lineage_token t = lineage_next_token(&expression);
	struct str rest = expression;
	bool is_plain = t.kind == TOKEN_NAME && lineage_next_token(&rest).kind == TOKEN_END;

	for (; t.kind != TOKEN_END; t = lineage_next_token(&expression)) {
		_cleanup_(arena_done) struct arena arena = {0};
		size_t from = LINEAGE_NONE;

		if (t.kind == TOKEN_NAME) /* the server writes each in backquotes */
			from = lineage_find_column(g, node,
						   arena_strndup(&arena, t.text.data, t.text.len));
		if (from != LINEAGE_NONE && from != column)
			lineage_add_edge(g, from, column,
					 is_plain ? LINEAGE_SAME : LINEAGE_CONVERTED);
	}
}

static int add_generated(struct lineage_graph *g, struct maria *db, enum lineage_kind kind,
			 const char *database, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(database)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, govern_sql_lineage_generated, params, 1, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		size_t node = lineage_find_node(g, kind, maria_rows_str(rows, 0).data), column;

		if (node == LINEAGE_NONE)
			continue;
		column = lineage_find_column(g, node, maria_rows_str(rows, 1).data);
		if (column != LINEAGE_NONE)
			lineage_read_generated(g, node, column, maria_rows_str(rows, 2));
	}
	return r;
}

/* --- routines -------------------------------------------------------------------------------- */

void lineage_add_read(struct lineage_graph *g, size_t column, size_t routine)
{
	void **slot =
	    map_put(&g->by_read, str_from(arena_printf(&g->arena, "%zu<%zu", column, routine)));

	if (*slot)
		return;
	mem_grow(&g->reads, &g->reads_cap, g->n_reads + 1, sizeof(*g->reads));
	g->reads[g->n_reads++] = (struct lineage_read){column, routine};
	*slot = (void *)(uintptr_t)g->n_reads;
}

const char *lineage_routine_name(struct arena *arena, const char *kind, const char *database,
				 const char *name)
{
	char *text = arena_printf(arena, "%s %s%s%s", kind, database ? database : "",
				  database ? "." : "", name);

	for (size_t i = 0; text[i] && text[i] != ' '; i++)
		text[i] = (char)tolower((unsigned char)text[i]); /* PROCEDURE, as the server says */
	return text;
}

struct routines { /* of one database */
	struct lineage_graph *g;
	struct maria *db;
	const char *database;
	struct lineage_routine of;
};

static size_t routine_node(struct routines *rs, const char *kind, const char *name)
{
	return lineage_add_passing(
	    rs->g, LINEAGE_ROUTINE,
	    lineage_routine_name(&rs->g->arena, kind,
				 rs->of.home == LINEAGE_TABLE ? NULL : rs->database, name));
}

/* Parameters, and what is returned, before any text is read: routines call each other. */
static int declare_routines(struct routines *rs, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(rs->db, govern_sql_lineage_parameters,
			    MARIA_ARGS(MARIA_S(rs->database)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		size_t node =
		    routine_node(rs, maria_rows_str(rows, 0).data, maria_rows_str(rows, 1).data);
		const char *name = maria_rows_str(rows, 2).data, *mode;
		size_t column = lineage_add_column(rs->g, node, name ? name : LINEAGE_RETURN);

		mode = maria_rows_str(rows, 3).data;
		rs->g->columns[column].type = arena_strdup(&rs->g->arena, mode ? mode : "");
	}
	return r;
}

static int read_routines(struct routines *rs, const char *sql, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(rs->db, sql, MARIA_ARGS(MARIA_S(rs->database)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const char *table = maria_rows_str(rows, 2).data;

		if (!maria_rows_str(rows, 3).data) /* the account may not see it */
			continue;
		rs->of.node =
		    routine_node(rs, maria_rows_str(rows, 0).data, maria_rows_str(rows, 1).data);
		rs->of.table = table ? lineage_find_node(rs->g, rs->of.home, table) : LINEAGE_NONE;
		lineage_read_routine(rs->g, &rs->of, maria_rows_str(rows, 3));
	}
	return r;
}

static int add_routines(struct lineage_graph *g, const struct lineage_parts *p,
			enum lineage_kind home, struct err *err)
{
	struct routines rs = {
	    .g = g,
	    .db = p->db,
	    .database = home == LINEAGE_TABLE ? p->schema->database : p->warehouse,
	    .of = {p->schema->database, p->warehouse, home, LINEAGE_NONE, LINEAGE_NONE, true}};
	int r = declare_routines(&rs, err);

	for (int pass = 0; pass < 2 && r == 0; pass++) {
		rs.of.only_tables = pass == 0;
		r = read_routines(&rs, govern_sql_lineage_routines, err);
		if (r == 0)
			r = read_routines(&rs, govern_sql_lineage_triggers, err);
		if (r == 0)
			r = read_routines(&rs, govern_sql_lineage_events, err);
	}
	return r;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* A value that came from a personal column is personal, where nobody has said otherwise. */
void lineage_carry_classes(struct lineage_graph *g)
{
	bool has_changed;

	do {
		has_changed = false;
		for (size_t i = 0; i < g->n_edges; i++) {
			const struct lineage_edge *e = &g->edges[i];
			struct lineage_column *to = &g->columns[e->to];

			uint32_t all = to->classes | g->columns[e->from].classes;

			if (all == to->classes || to->is_classed || !*to->name ||
			    !lineage_use_is_direct(e->use))
				continue;
			to->classes = all;
			has_changed = true;
		}
	} while (has_changed);
}

/* What servers say of themselves. */
static int add_of_servers(struct lineage_graph *g, const struct lineage_parts *p, struct err *err)
{
	int r = add_views(g, p, err);

	if (r == 0 && p->warehouse)
		r = add_warehouse(g, p, err);
	if (r == 0)
		r = add_generated(g, p->db, LINEAGE_TABLE, p->schema->database, err);
	if (r == 0 && p->warehouse)
		r = add_generated(g, p->db, LINEAGE_WAREHOUSE, p->warehouse, err);
	if (r == 0)
		r = add_routines(g, p, LINEAGE_TABLE, err);
	if (r == 0 && p->warehouse)
		r = add_routines(g, p, LINEAGE_WAREHOUSE, err);
	return r < 0 ? err_context(err, "reading what is made of what") : 0;
}

int lineage_graph_new(const struct lineage_parts *parts, struct lineage_graph **ret,
		      struct err *err)
{
	_cleanup_(lineage_graph_freep) struct lineage_graph *g = MEM_NEW(struct lineage_graph);
	int r = 0;

	add_tables(g, parts);
	add_mappings(g, parts);
	add_rules(g, parts->rules);
	if (parts->db)
		r = add_of_servers(g, parts, err);
	if (r < 0)
		return r;
	lineage_contract(g);
	lineage_carry_classes(g);
	*ret = TAKE_PTR(g);
	return 0;
}

/* --- inputs ---------------------------------------------------------------------------------- */

static size_t list_marked(const struct lineage_graph *g, const bool *marks, struct arena *arena,
			  const struct lineage_dataset **ret)
{
	struct lineage_dataset *list = arena_alloc(arena, (g->n_nodes + 1) * sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < g->n_nodes; i++)
		if (marks[i])
			list[n++] = (struct lineage_dataset){.kind = g->nodes[i].kind,
							     .name = g->nodes[i].name};
	*ret = list;
	return n;
}

size_t lineage_inputs(const struct lineage_graph *g, enum lineage_kind kind, const char *name,
		      struct arena *arena, const struct lineage_dataset **ret)
{
	bool *marks = arena_alloc(arena, g->n_nodes * sizeof(*marks));
	size_t node = lineage_find_node(g, kind, name);

	if (node == LINEAGE_NONE)
		return 0;
	for (size_t i = 0; i < g->n_edges; i++) {
		size_t from = g->columns[g->edges[i].from].node;

		marks[from] |= g->columns[g->edges[i].to].node == node && from != node;
	}
	return list_marked(g, marks, arena, ret);
}

size_t lineage_made(const struct lineage_graph *g, enum lineage_kind kind, struct arena *arena,
		    const struct lineage_dataset **ret)
{
	bool *marks = arena_alloc(arena, g->n_nodes * sizeof(*marks));

	for (size_t i = 0; i < g->n_edges; i++) {
		size_t node = g->columns[g->edges[i].to].node;

		marks[node] |= g->nodes[node].kind == kind;
	}
	return list_marked(g, marks, arena, ret);
}

/* --- impact ---------------------------------------------------------------------------------- */

struct walk {
	const struct lineage_graph *g;
	struct lineage_reaches *ret;
	size_t *place; /* of a column in `ret`, + 1 */
};

/* A second way that is direct all along says more than one that is not. */
static void reach(struct walk *w, struct lineage_reach next)
{
	size_t at = w->place[next.column];

	if (at) {
		struct lineage_reach *old = &w->ret->items[at - 1];

		if (old->is_direct || !next.is_direct)
			return;
		*old = next; /* what is behind it is walked anew: see lineage_impact() */
		return;
	}
	mem_grow(&w->ret->items, &w->ret->cap, w->ret->len + 1, sizeof(*w->ret->items));
	w->ret->items[w->ret->len++] = next;
	w->place[next.column] = w->ret->len;
}

/*
 * Who depends on the whole of a dataset depends on each of its columns. Who depends on a column
 * depends on the whole in that other rows may be there: that much is told of the whole of what is
 * made of it, and not of each column.
 */
static void step(struct walk *w, const struct lineage_reach at)
{
	const struct lineage_graph *g = w->g;
	size_t node = g->columns[at.column].node;
	bool is_whole = !*g->columns[at.column].name;

	for (size_t i = 0; i < g->n_edges; i++) {
		const struct lineage_edge *e = &g->edges[i];
		const struct lineage_column *from = &g->columns[e->from];
		bool is_same = e->from == at.column;
		struct lineage_reach next = {.column = e->to,
					     .from = at.column,
					     .use = e->use,
					     .is_direct = at.is_direct && is_same &&
							  lineage_use_is_direct(e->use)};

		if (from->node != node || (!is_same && !is_whole && *from->name))
			continue;
		/* Which rows of which rows: all of a warehouse would depend on all. */
		if (!at.is_direct && !lineage_use_is_direct(e->use))
			continue;
		if (!is_same && is_whole) {
			next.column = g->nodes[g->columns[e->to].node].columns[0];
			/* Who asks for a dataset asks for the values of all its columns. */
			next.is_direct = at.from == at.column && lineage_use_is_direct(e->use);
			next.use = next.is_direct ? e->use : LINEAGE_FILTER;
		}
		reach(w, next);
	}
}

/* In rounds, until a round changes nothing: few columns, and few rounds. */
void lineage_impact(const struct lineage_graph *g, size_t start, struct lineage_reaches *ret)
{
	struct walk w = {g, ret, mem_alloc_array(g->n_columns, sizeof(size_t))};
	const struct lineage_reach self = {.column = start, .from = start, .is_direct = true};
	size_t n_direct, n_before;

	step(&w, self);
	do {
		n_before = ret->len;
		n_direct = 0;
		for (size_t i = 0; i < ret->len; i++)
			n_direct += ret->items[i].is_direct;
		for (size_t i = 0; i < ret->len; i++)
			step(&w, ret->items[i]);
		for (size_t i = 0; i < ret->len; i++)
			n_direct -= ret->items[i].is_direct;
	} while (ret->len != n_before || n_direct);
	mem_free(w.place);
}

/* A table's own column, or a view's, which is the same under another name. */
static bool is_named(const struct lineage_graph *g, size_t start,
		     const struct lineage_reaches *reaches, size_t column)
{
	bool is_whole = !*g->columns[start].name;

	if (column == start || (is_whole && g->columns[column].node == g->columns[start].node))
		return true;
	for (size_t i = 0; i < reaches->len; i++) {
		const struct lineage_reach *reach = &reaches->items[i];
		size_t node = g->columns[reach->column].node;

		if (reach->is_direct && g->nodes[node].kind == LINEAGE_VIEW &&
		    reach->column == column)
			return true;
	}
	return false;
}

static int compare_readers(const void *a, const void *b)
{
	const struct lineage_reader *x = a, *y = b;
	int order = strcmp(x->routine, y->routine);

	return order ? order : x->column < y->column ? -1 : 1;
}

size_t lineage_readers(const struct lineage_graph *g, size_t start,
		       const struct lineage_reaches *reaches, struct arena *arena,
		       const struct lineage_reader **ret)
{
	struct lineage_reader *list = arena_alloc(arena, (g->n_reads + 1) * sizeof(*list));
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < g->n_reads; i++)
		if (is_named(g, start, reaches, g->reads[i].column))
			list[n++] = (struct lineage_reader){g->nodes[g->reads[i].routine].name,
							    g->reads[i].column};
	if (n)
		qsort(list, n, sizeof(*list), compare_readers);
	for (size_t i = 0; i < n; i++) /* each routine once, by the column that was there first */
		if (!kept || !cstr_equal(list[kept - 1].routine, list[i].routine))
			list[kept++] = list[i];
	*ret = list;
	return kept;
}

/* --- names ----------------------------------------------------------------------------------- */

static int unknown(const struct lineage_graph *g, const char *text, struct err *err)
{
	const char **names = mem_alloc_array(g->n_nodes + 1, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < g->n_nodes; i++)
		if (!g->nodes[i].is_passing)
			names[n++] = g->nodes[i].name;
	(void)err_set(err, ERR_NOT_FOUND, "there is no table, view or collection \"%.80s\"", text);
	(void)err_near(err, cstr_nearest(text, names));
	mem_free(names);
	return err_hint(err,
			"Products.price, product_catalog.category.name, index:product_catalog");
}

static int unknown_column(const struct lineage_graph *g, const struct lineage_node *node,
			  const char *text, struct err *err)
{
	const char **names = mem_alloc_array(node->n_columns + 1, sizeof(*names));

	for (size_t i = 1; i < node->n_columns; i++)
		names[i - 1] = g->columns[node->columns[i]].name;
	(void)err_set(err, ERR_NOT_FOUND, "%s \"%s\" has no \"%.80s\"",
		      lineage_kind_name(node->kind), node->name, text);
	(void)err_near(err, cstr_nearest(text, names));
	mem_free(names);
	return -ERR_NOT_FOUND;
}

int lineage_parse_name(const struct lineage_graph *g, const char *text, size_t *ret,
		       struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	size_t node = LINEAGE_NONE;
	const char *colon = strchr(text, ':'), *dot;
	size_t first = 0, end = LINEAGE_KINDS;

	for (size_t i = 0; colon && i < LINEAGE_KINDS; i++) {
		if (strlen(kinds[i]) == (size_t)(colon - text) &&
		    strncmp(kinds[i], text, (size_t)(colon - text)) == 0) {
			first = i;
			end = i + 1;
			text = colon + 1;
			break;
		}
	}
	dot = strchr(text, '.');
	for (size_t i = first; i < end && node == LINEAGE_NONE; i++)
		node = lineage_find_node(g, (enum lineage_kind)i,
					 dot ? arena_strndup(&arena, text, (size_t)(dot - text))
					     : text);
	if (node == LINEAGE_NONE)
		return unknown(
		    g, arena_strndup(&arena, text, dot ? (size_t)(dot - text) : strlen(text)), err);
	*ret = lineage_find_column(g, node, dot ? dot + 1 : "");
	return *ret == LINEAGE_NONE ? unknown_column(g, &g->nodes[node], dot + 1, err) : 0;
}
