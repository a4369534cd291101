/*
 * Edges of views and procedures, read from their text.
 *
 * A view's definition is written by the server: every name in backquotes, every table with its
 * database, every column with the alias of its table, an AS behind what is selected. So it takes
 * no grammar of SQL: names joined by dots, parentheses, commas and the words SELECT, FROM and AS
 * tell all. What is selected by a subquery is found by the name that it gets there.
 *
 * A procedure is as its author wrote it. Its statements are looked at one by one: what is written
 * depends on the tables that the statement names, and on those of their columns that it names.
 */
#include "govern/lineage_int.h"

#include <ctype.h>
#include <strings.h>

#include "base/banned.h"

#define DEPTH_MAX 64
#define PARTS_MAX 3

/* --- words ----------------------------------------------------------------------------------- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_WORD, TOKEN_SIGN };

struct token {
	enum token_kind kind;
	struct str text; /* of a NAME without its backquotes */
};

/* Behind the closing quote; a doubled one, and one behind a backslash, stands for itself. */
static size_t end_of_quoted(struct str s, size_t at)
{
	char quote = s.data[at++];

	while (at < s.len) {
		if (s.data[at] == '\\' && quote != '`')
			at++;
		else if (s.data[at] == quote && (at + 1 == s.len || s.data[at + 1] != quote))
			return at + 1;
		else if (s.data[at] == quote)
			at++;
		at++;
	}
	return s.len;
}

static bool starts_with(struct str s, size_t at, const char *text)
{
	return at < s.len && str_starts((struct str){s.data + at, s.len - at}, text);
}

/* Behind a comment that begins here; `at` when none does. */
static size_t skip_comment(struct str s, size_t at)
{
	if (starts_with(s, at, "#") || starts_with(s, at, "--")) {
		while (at < s.len && s.data[at] != '\n')
			at++;
	} else if (starts_with(s, at, "/*")) {
		at += 2;
		while (at < s.len && !starts_with(s, at, "*/"))
			at++;
		at = at < s.len ? at + 2 : s.len;
	}
	return at;
}

/* Behind white space and comments. */
static size_t skip(struct str s, size_t at)
{
	size_t before;

	do {
		before = at;
		while (at < s.len && isspace((unsigned char)s.data[at]))
			at++;
		at = skip_comment(s, at);
	} while (at != before);
	return at;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static struct token next_token(struct str *s)
{
	struct token t = {0};
	size_t at = skip(*s, 0), end = at;

	if (at == s->len) {
		*s = (struct str){s->data + at, 0};
		return t;
	}
	if (s->data[at] == '`' || s->data[at] == '\'' || s->data[at] == '"') {
		end = end_of_quoted(*s, at);
		t = s->data[at] == '`'
			? (struct token){TOKEN_NAME,
					 {s->data + at + 1, end - at > 1 ? end - at - 2 : 0}}
			: (struct token){TOKEN_SIGN, {"?", 1}};
	} else if (is_word(s->data[at])) {
		while (end < s->len && is_word(s->data[end]))
			end++;
		t = (struct token){TOKEN_WORD, {s->data + at, end - at}};
	} else {
		end = at + 1;
		t = (struct token){TOKEN_SIGN, {s->data + at, 1}};
	}
	*s = (struct str){s->data + end, s->len - end};
	return t;
}

static bool token_is(struct token t, const char *word)
{
	return t.kind != TOKEN_NAME && t.text.len == strlen(word) &&
	       strncasecmp(t.text.data, word, t.text.len) == 0;
}

/* --- views ----------------------------------------------------------------------------------- */

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
	size_t node = lineage_node_index(v->g, LINEAGE_TABLE, text);

	return node == LINEAGE_NONE ? lineage_node_index(v->g, LINEAGE_VIEW, text) : node;
}

static void add_reference(struct reading *v, size_t node, struct str column)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct reference ref = {LINEAGE_NONE, column};

	if (node != LINEAGE_NONE) {
		ref.column = lineage_find_column(v->g, &v->g->nodes[node],
						 arena_strndup(&arena, column.data, column.len));
		if (ref.column == LINEAGE_NONE)
			ref.column = v->g->nodes[node].columns[0];
	}
	mem_grow(&v->references, &v->references_cap, v->n_references + 1, sizeof(*v->references));
	v->references[v->n_references++] = ref;
}

/* Names joined by dots: `db`.`table`, with an alias behind it; `alias`.`column`;
 * `db`.`table`.`column`. An alias is known behind its use only: first come all of them. */
static size_t read_names(struct str *rest, struct token first, struct str parts[PARTS_MAX])
{
	size_t n = 1;

	parts[0] = first.text;
	while (n < PARTS_MAX) {
		struct str ahead = *rest;
		struct token dot = next_token(&ahead), name = next_token(&ahead);

		if (!token_is(dot, ".") || name.kind != TOKEN_NAME)
			break;
		parts[n++] = name.text;
		*rest = ahead;
	}
	return n;
}

static void read_aliases(struct reading *v, struct str text)
{
	struct token t;

	while ((t = next_token(&text)).kind != TOKEN_END) {
		struct str parts[PARTS_MAX], ahead;
		size_t node;

		if (t.kind != TOKEN_NAME || read_names(&text, t, parts) != 2 ||
		    !str_equal(parts[0], str_from(v->database)))
			continue;
		node = find_table(v, parts[1]);
		ahead = text;
		t = next_token(&ahead);
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
static bool read_token(struct reading *v, struct token t, struct str *rest)
{
	struct str parts[PARTS_MAX];

	if (t.kind == TOKEN_NAME) {
		read_reference(v, parts, read_names(rest, t, parts));
	} else if (token_is(t, "select")) {
		begin_list(v);
	} else if (token_is(t, "from")) {
		v->levels[v->depth].is_list = false;
	} else if (token_is(t, "as") && v->levels[v->depth].is_list) {
		struct str ahead = *rest;
		struct token name = next_token(&ahead);

		if (name.kind == TOKEN_NAME) {
			end_expression(v, name.text);
			*rest = ahead;
		}
	} else if (token_is(t, "(")) {
		if (++v->depth == DEPTH_MAX)
			return false;
		v->levels[v->depth].is_list = false;
	} else if (token_is(t, ")")) {
		if (v->depth-- == 0)
			return false;
	} else if (token_is(t, ",") && v->levels[v->depth].is_list) {
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
	struct token t;
	bool is_good = true;

	read_aliases(&v, definition);
	while (is_good && (t = next_token(&rest)).kind != TOKEN_END)
		is_good = read_token(&v, t, &rest);
	add_view_edges(&v);
	map_done(&v.aliases);
	mem_free(v.references);
	mem_free(v.items);
	arena_done(&v.arena);
}

/* --- procedures ------------------------------------------------------------------------------ */

#define NAMES_MAX 256 /* of one statement; what is beyond is left out */

struct statement {
	struct lineage_graph *g;
	const struct lineage_databases *databases;
	struct arena arena;
	size_t target, n_tables, n_names;
	size_t tables[NAMES_MAX];
	const char *names[NAMES_MAX];
};

static const char *text_of(struct statement *s, struct token t)
{
	return arena_strndup(&s->arena, t.text.data, t.text.len);
}

static bool is_name(struct token t)
{
	return t.kind == TOKEN_NAME || t.kind == TOKEN_WORD;
}

/* A table of the warehouse, or of the statements themselves. */
static size_t written_table(struct statement *s, struct token t)
{
	const char *name = text_of(s, t);
	size_t node = lineage_node_index(s->g, LINEAGE_WAREHOUSE, name);

	if (node == LINEAGE_NONE) {
		node = lineage_add_node(s->g, LINEAGE_WAREHOUSE, name, "");
		s->g->nodes[node].is_passing = true;
	}
	return node;
}

static void add_table(struct statement *s, size_t node)
{
	if (node != LINEAGE_NONE && s->n_tables < NAMES_MAX)
		s->tables[s->n_tables++] = node;
}

/* `db.table`: of the shop, or of the warehouse by its name. */
static void take_name(struct statement *s, struct token t, struct str *rest)
{
	struct str ahead = *rest;
	struct token dot = next_token(&ahead), second = next_token(&ahead);
	const char *name = text_of(s, t);

	if (token_is(dot, ".") && is_name(second)) {
		bool is_shop = cstr_equal(name, s->databases->shop);

		if (is_shop || cstr_equal(name, s->databases->warehouse)) {
			const char *table = text_of(s, second);

			add_table(s, lineage_node_index(
					 s->g, is_shop ? LINEAGE_TABLE : LINEAGE_WAREHOUSE, table));
			*rest = ahead;
			return;
		}
	}
	add_table(s, lineage_node_index(s->g, LINEAGE_WAREHOUSE, name));
	if (s->n_names < NAMES_MAX)
		s->names[s->n_names++] = name;
}

/* Into which table a statement that begins so writes. */
static void take_target(struct statement *s, struct token t, struct str *rest)
{
	struct str ahead = *rest;
	struct token next = next_token(&ahead);

	if (token_is(t, "insert") || token_is(t, "replace")) {
		if (token_is(next, "ignore"))
			next = next_token(&ahead);
		if (token_is(next, "into"))
			next = next_token(&ahead);
		else if (token_is(t, "replace") || token_is(next, "("))
			return; /* the function */
	} else if (!token_is(t, "update") || s->target != LINEAGE_NONE) {
		return;
	}
	if (is_name(next) && !token_is(next, "select") && !token_is(next, "values")) {
		s->target = written_table(s, next);
		*rest = ahead;
	}
}

static void add_edges_of_table(struct statement *s, size_t table)
{
	size_t whole = s->g->nodes[s->target].columns[0];
	const struct lineage_node *node = &s->g->nodes[table];

	if (table == s->target)
		return;
	if (node->kind == LINEAGE_WAREHOUSE)
		lineage_add_edge(s->g, node->columns[0], whole, LINEAGE_PART);
	for (size_t i = 0; i < s->n_names && node->kind == LINEAGE_TABLE; i++) {
		size_t column = lineage_find_column(s->g, node, s->names[i]);

		if (column != LINEAGE_NONE)
			lineage_add_edge(s->g, column, whole, LINEAGE_PART);
	}
}

static void end_statement(struct statement *s)
{
	for (size_t i = 0; i < s->n_tables && s->target != LINEAGE_NONE; i++)
		add_edges_of_table(s, s->tables[i]);
	arena_clear(&s->arena);
	s->n_tables = s->n_names = 0;
	s->target = LINEAGE_NONE;
}

void lineage_read_procedure(struct lineage_graph *g, const struct lineage_databases *databases,
			    struct str text)
{
	struct statement s = {.g = g, .databases = databases, .target = LINEAGE_NONE};
	struct token t;

	while ((t = next_token(&text)).kind != TOKEN_END) {
		if (token_is(t, ";"))
			end_statement(&s);
		else if (token_is(t, "insert") || token_is(t, "replace") || token_is(t, "update"))
			take_target(&s, t, &text);
		else if (is_name(t))
			take_name(&s, t, &text);
	}
	end_statement(&s);
	arena_done(&s.arena);
}
