/*
 * Edges of a view, from its definition, which the server writes: every name in backquotes, every
 * table with its database, every column with the alias of its table, an AS behind what is
 * selected. So it takes no grammar of SQL: names joined by dots, parentheses, commas and the words
 * SELECT, FROM and AS tell all. What is selected by a subquery is found by the name that it gets
 * there.
 */
#include "govern/lineage_int.h"

#include "base/banned.h"

#define DEPTH_MAX 64
#define PARTS_MAX 3

struct reference {	 /* to a column: of a table, or of a subquery that has the alias */
	size_t column;	 /* LINEAGE_NONE: of a subquery */
	struct str name; /* then, the column's */
};

struct item { /* what a list of columns selects under a name */
	struct str name;
	size_t first, end; /* its references */
	size_t depth, position;
};

struct reading {
	struct lineage_graph *g;
	const char *database;
	size_t view;
	struct arena arena;
	struct map aliases; /* to the number of a dataset + 1 */
	size_t n_references, references_cap, n_items, items_cap;
	struct reference *references;
	struct item *items;
	/* Of each depth of parentheses: whether a list of columns is read, where the expression in
	 * hand began, which it is. */
	struct {
		bool is_list;
		size_t first, position;
	} levels[DEPTH_MAX];
	size_t depth;
};

static size_t find_table(const struct reading *v, struct str name)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *text = arena_strndup(&arena, name.data, name.len);
	size_t node = lineage_find_node(v->g, LINEAGE_TABLE, text);

	return node == LINEAGE_NONE ? lineage_find_node(v->g, LINEAGE_VIEW, text) : node;
}

static void add_reference(struct reading *v, size_t node, struct str column)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct reference ref = {LINEAGE_NONE, column};

	if (node != LINEAGE_NONE) {
		ref.column =
		    lineage_find_column(v->g, node, arena_strndup(&arena, column.data, column.len));
		if (ref.column == LINEAGE_NONE)
			ref.column = v->g->nodes[node].columns[0];
	}
	mem_grow(&v->references, &v->references_cap, v->n_references + 1, sizeof(*v->references));
	v->references[v->n_references++] = ref;
}

/* Names joined by dots: `db`.`table`, with an alias behind it; `alias`.`column`;
 * `db`.`table`.`column`. An alias is known behind its use only: first come all of them. */
static size_t read_names(struct str *rest, struct lineage_token first, struct str parts[PARTS_MAX])
{
	size_t n = 1;

	parts[0] = first.text;
	while (n < PARTS_MAX) {
		struct str ahead = *rest;
		struct lineage_token dot = lineage_next_token(&ahead),
				     name = lineage_next_token(&ahead);

		if (!lineage_token_is(dot, ".") || name.kind != TOKEN_NAME)
			break;
		parts[n++] = name.text;
		*rest = ahead;
	}
	return n;
}

static void read_aliases(struct reading *v, struct str text)
{
	struct lineage_token t;

	while ((t = lineage_next_token(&text)).kind != TOKEN_END) {
		struct str parts[PARTS_MAX], ahead;
		size_t node;

		if (t.kind != TOKEN_NAME || read_names(&text, t, parts) != 2 ||
		    !str_equal(parts[0], str_from(v->database)))
			continue;
		node = find_table(v, parts[1]);
		ahead = text;
		t = lineage_next_token(&ahead);
		if (node == LINEAGE_NONE)
			continue;
		*map_put(&v->aliases, t.kind == TOKEN_NAME ? t.text : parts[1]) =
		    (void *)(uintptr_t)(node + 1);
	}
}

static void read_reference(struct reading *v, const struct str *parts, size_t n)
{
	bool is_table = n == 2 && str_equal(parts[0], str_from(v->database));

	if (n == 2 && (!is_table || find_table(v, parts[1]) == LINEAGE_NONE))
		add_reference(v, (uintptr_t)map_get(&v->aliases, parts[0]) - 1, parts[1]);
	else if (n == PARTS_MAX)
		add_reference(v, find_table(v, parts[1]), parts[2]);
}

static void end_expression(struct reading *v, struct str name)
{
	mem_grow(&v->items, &v->items_cap, v->n_items + 1, sizeof(*v->items));
	v->items[v->n_items++] = (struct item){name, v->levels[v->depth].first, v->n_references,
					       v->depth, v->levels[v->depth].position};
}

static void begin_list(struct reading *v)
{
	v->levels[v->depth].is_list = true;
	v->levels[v->depth].first = v->n_references;
	v->levels[v->depth].position = 0;
}

/* False: too deep, or closed more often than opened. */
static bool read_token(struct reading *v, struct lineage_token t, struct str *rest)
{
	struct str parts[PARTS_MAX];

	if (t.kind == TOKEN_NAME) {
		read_reference(v, parts, read_names(rest, t, parts));
	} else if (lineage_token_is(t, "select")) {
		begin_list(v);
	} else if (lineage_token_is(t, "from")) {
		v->levels[v->depth].is_list = false;
	} else if (lineage_token_is(t, "as") && v->levels[v->depth].is_list) {
		struct str ahead = *rest;
		struct lineage_token name = lineage_next_token(&ahead);

		if (name.kind == TOKEN_NAME) {
			end_expression(v, name.text);
			*rest = ahead;
		}
	} else if (lineage_token_is(t, "(")) {
		if (++v->depth == DEPTH_MAX)
			return false;
		v->levels[v->depth].is_list = false;
	} else if (lineage_token_is(t, ")")) {
		if (v->depth-- == 0)
			return false;
	} else if (lineage_token_is(t, ",") && v->levels[v->depth].is_list) {
		v->levels[v->depth].first = v->n_references;
		v->levels[v->depth].position++;
	}
	return true;
}

/* A column of a subquery is what it selects under that name, from whatever depth. */
static void add_edges_of(struct reading *v, const struct item *item, size_t to, size_t hops)
{
	bool is_plain = item->end - item->first == 1;

	for (size_t i = item->first; i < item->end; i++) {
		const struct reference *ref = &v->references[i];

		if (ref->column != LINEAGE_NONE) {
			lineage_add_edge(v->g, ref->column, to,
					 is_plain ? LINEAGE_SAME : LINEAGE_CONVERTED);
			continue;
		}
		for (size_t j = 0; j < v->n_items && hops; j++)
			if (v->items[j].depth > item->depth &&
			    str_equal(v->items[j].name, ref->name))
				add_edges_of(v, &v->items[j], to, hops - 1);
	}
}

static bool is_selected(const struct reading *v, size_t reference)
{
	for (size_t i = 0; i < v->n_items; i++)
		if (v->items[i].depth == 0 && reference >= v->items[i].first &&
		    reference < v->items[i].end)
			return true;
	return false;
}

static void add_view_edges(struct reading *v)
{
	size_t whole = v->g->nodes[v->view].columns[0];

	for (size_t i = 0; i < v->n_items; i++) {
		size_t column = v->items[i].position + 1;

		if (v->items[i].depth == 0 && column < v->g->nodes[v->view].n_columns)
			add_edges_of(v, &v->items[i], v->g->nodes[v->view].columns[column], 8);
	}
	for (size_t i = 0; i < v->n_references; i++)
		if (v->references[i].column != LINEAGE_NONE && !is_selected(v, i))
			lineage_add_edge(v->g, v->references[i].column, whole, LINEAGE_FILTER);
}

void lineage_read_view(struct lineage_graph *g, const char *database, size_t view,
		       struct str definition)
{
	struct reading v = {.g = g, .database = database, .view = view};
	struct str rest = definition;
	struct lineage_token t;
	bool is_good = true;

	read_aliases(&v, definition);
	while (is_good && (t = lineage_next_token(&rest)).kind != TOKEN_END)
		is_good = read_token(&v, t, &rest);
	add_view_edges(&v);
	map_done(&v.aliases);
	mem_free(v.references);
	mem_free(v.items);
	arena_done(&v.arena);
}
