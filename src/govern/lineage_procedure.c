/*
 * Edges of a procedure, from its text, which is as its author wrote it. Its statements are looked
 * at one by one: INSERT ... SELECT puts what is selected into the columns of a table by their
 * order, UPDATE ... SET by their names. What else a statement names (in FROM, WHERE, a common table
 * expression) has a part in which rows it writes.
 *
 * A name with an alias before it is a column of that table; one without is a column of any table of
 * the statement that has such a column. So an edge may be too many, and none is missing, but for
 * statements that are put together at run time.
 *
 * Temporary tables are made as passing datasets, with the columns of their CREATE.
 */
#include "govern/lineage_int.h"

#include <strings.h>

#include "base/banned.h"

#define NAMES_MAX 512 /* of one statement; what is beyond is left out */
#define NOWHERE	  SIZE_MAX

struct mention {	       /* a name that may be a column */
	const char *qualifier; /* NULL: none */
	const char *name;
	size_t into; /* column of the target, NOWHERE: which rows */
};

struct table_of { /* of a statement */
	const char *alias;
	size_t node;
	bool is_written; /* an UPDATE sets a column of it */
};

struct statement {
	struct lineage_graph *g;
	const struct lineage_databases *databases;
	struct arena arena;
	size_t target; /* node; LINEAGE_NONE: it writes nothing */
	bool is_update, is_list, is_over, has_expressions;
	size_t depth, position;
	size_t n_into; /* columns of the target, in the order of the list */
	size_t into[NAMES_MAX];
	size_t n_tables, n_mentions;
	struct table_of tables[NAMES_MAX];
	struct mention mentions[NAMES_MAX];
};

static struct lineage_token peek(struct str rest)
{
	return lineage_next_token(&rest);
}

static bool is_name(struct lineage_token t)
{
	return t.kind == TOKEN_NAME || t.kind == TOKEN_WORD;
}

static const char *text_of(struct statement *s, struct lineage_token t)
{
	return arena_strndup(&s->arena, t.text.data, t.text.len);
}

static bool is_one_of(struct lineage_token t, const char *const *words)
{
	for (; *words; words++)
		if (lineage_token_is(t, *words))
			return true;
	return false;
}

/* --- tables ---------------------------------------------------------------------------------- */

/* `db.table`: of the shop, or of the warehouse by its name; NONE: it is neither. */
static size_t named_table(struct statement *s, const char *database, const char *table)
{
	if (cstr_equal(database, s->databases->shop))
		return lineage_find_node(s->g, LINEAGE_TABLE, table);
	if (cstr_equal(database, s->databases->warehouse))
		return lineage_find_node(s->g, LINEAGE_WAREHOUSE, table);
	return LINEAGE_NONE;
}

/* `t` or `db.t`: a table of the warehouse, or of the statements themselves. NONE: of elsewhere. */
static size_t written_table(struct statement *s, struct lineage_token t, struct str *rest)
{
	const char *name = text_of(s, t);
	struct str ahead = *rest;
	size_t node;

	if (lineage_token_is(lineage_next_token(&ahead), ".")) {
		struct lineage_token second = lineage_next_token(&ahead);

		*rest = ahead;
		return is_name(second) ? named_table(s, name, text_of(s, second)) : LINEAGE_NONE;
	}
	node = lineage_find_node(s->g, LINEAGE_WAREHOUSE, name);
	if (node == LINEAGE_NONE) {
		node = lineage_add_node(s->g, LINEAGE_WAREHOUSE, name, "");
		s->g->nodes[node].is_passing = true;
	}
	return node;
}

/* Behind a table stands its alias, or a word of the language. */
static void add_table(struct statement *s, size_t node, const char *name, struct str *rest)
{
	static const char *const words[] = {
	    "on",    "join",  "straight_join", "left",	 "right", "inner", "cross",  "natural",
	    "where", "group", "order",	       "limit",	 "set",	  "union", "having", "using",
	    "do",    "for",   "from",	       "select", "then",  "end",   "values", NULL};
	struct lineage_token t = peek(*rest);

	if (lineage_token_is(t, "as")) {
		(void)lineage_next_token(rest);
		t = peek(*rest);
	}
	if (is_name(t) && !is_one_of(t, words)) {
		name = text_of(s, t);
		(void)lineage_next_token(rest);
	}
	if (s->n_tables < NAMES_MAX)
		s->tables[s->n_tables++] = (struct table_of){.alias = name, .node = node};
}

/* --- what is written ------------------------------------------------------------------------- */

/* "(a, b)" behind the target; without it all columns, in their order. */
static void read_columns(struct statement *s, struct str *rest)
{
	const struct lineage_node *node = &s->g->nodes[s->target];
	struct lineage_token t = peek(*rest);

	if (!lineage_token_is(t, "(")) {
		for (size_t i = 1; i < node->n_columns && s->n_into < NAMES_MAX; i++)
			s->into[s->n_into++] = node->columns[i];
		return;
	}
	while ((t = lineage_next_token(rest)).kind != TOKEN_END && !lineage_token_is(t, ")"))
		if (is_name(t) && s->n_into < NAMES_MAX)
			s->into[s->n_into++] = lineage_find_column(s->g, s->target, text_of(s, t));
}

/* INSERT [IGNORE] INTO t, REPLACE INTO t: not the functions of these names. */
static void begin_insert(struct statement *s, struct str *rest)
{
	struct str ahead = *rest;
	struct lineage_token t = lineage_next_token(&ahead);

	if (lineage_token_is(t, "ignore"))
		t = lineage_next_token(&ahead);
	if (!lineage_token_is(t, "into"))
		return;
	t = lineage_next_token(&ahead);
	if (!is_name(t))
		return;
	s->target = written_table(s, t, &ahead);
	if (s->target == LINEAGE_NONE)
		return;
	*rest = ahead;
	read_columns(s, rest);
}

static void begin_update(struct statement *s, struct str *rest)
{
	struct lineage_token t = peek(*rest);

	if (!is_name(t))
		return;
	(void)lineage_next_token(rest);
	s->target = written_table(s, t, rest);
	if (s->target == LINEAGE_NONE)
		return;
	s->is_update = true;
	add_table(s, s->target, text_of(s, t), rest);
}

/* CREATE [OR REPLACE] TEMPORARY TABLE t (column type, ...): a table that is there already gets
 * nothing new. */
static void read_create(struct statement *s, struct str *rest)
{
	static const char *const keys[] = {"primary", "key",	    "unique",	"index",
					   "foreign", "constraint", "fulltext", NULL};
	struct lineage_token t = lineage_next_token(rest);
	size_t node, depth = 0;
	bool is_first = false;

	if (!is_name(t) || !lineage_token_is(peek(*rest), "("))
		return;
	node = written_table(s, t, rest);
	if (node == LINEAGE_NONE)
		return;
	while (peek(*rest).kind != TOKEN_END && !lineage_token_is(peek(*rest), ";")) {
		t = lineage_next_token(rest);
		if (is_first && is_name(t) && !is_one_of(t, keys) && s->g->nodes[node].is_passing)
			(void)lineage_add_column(s->g, node, text_of(s, t));
		depth += lineage_token_is(t, "(");
		depth -= depth && lineage_token_is(t, ")");
		is_first = depth == 1 && (lineage_token_is(t, "(") || lineage_token_is(t, ","));
	}
}

/* --- what it is made of ---------------------------------------------------------------------- */

static size_t into_now(const struct statement *s)
{
	if (!s->is_list || s->position == NOWHERE)
		return NOWHERE;
	if (s->is_update)
		return s->position;
	return s->position < s->n_into ? s->into[s->position] : NOWHERE;
}

/* In SET: what stands before "=" is written, of the table that it says, or else of the first. */
static bool take_assigned(struct statement *s, const struct mention *m, struct str rest)
{
	struct table_of *into = &s->tables[0];

	if (!s->is_update || !s->is_list || s->depth || s->has_expressions || !s->n_tables ||
	    !lineage_token_is(peek(rest), "="))
		return false;
	for (size_t i = 0; m->qualifier && i < s->n_tables; i++)
		if (strcasecmp(s->tables[i].alias, m->qualifier) == 0)
			into = &s->tables[i];
	into->is_written = true;
	s->position = lineage_find_column(s->g, into->node, m->name);
	s->has_expressions = true;
	return true;
}

static void take_name(struct statement *s, struct lineage_token t, struct str *rest)
{
	const char *first = text_of(s, t), *second = NULL;
	struct str ahead = *rest;
	struct mention m;
	size_t node;

	if (lineage_token_is(lineage_next_token(&ahead), ".")) {
		struct lineage_token name = lineage_next_token(&ahead);

		if (is_name(name)) {
			second = text_of(s, name);
			*rest = ahead;
		}
	}
	node = second ? named_table(s, first, second)
		      : lineage_find_node(s->g, LINEAGE_WAREHOUSE, first);
	if (node != LINEAGE_NONE) {
		add_table(s, node, second ? second : first, rest);
		return;
	}
	m = (struct mention){.qualifier = second ? first : NULL, .name = second ? second : first};
	if (take_assigned(s, &m, *rest) || s->n_mentions == NAMES_MAX)
		return;
	m.into = into_now(s);
	s->mentions[s->n_mentions++] = m;
}

static bool has_alias(const struct statement *s, const char *alias)
{
	for (size_t i = 0; i < s->n_tables; i++)
		if (strcasecmp(s->tables[i].alias, alias) == 0)
			return true;
	return false;
}

static bool is_alone(const struct statement *s, size_t into)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_mentions; i++)
		n += s->mentions[i].into == into;
	return n == 1;
}

/* To what is written of it: a column, or, of what decides which rows, the whole. */
static void add_edge(struct statement *s, size_t from, const struct mention *m)
{
	size_t node = s->g->columns[from].node;

	if (m->into != NOWHERE) {
		lineage_add_edge(s->g, from, m->into,
				 is_alone(s, m->into) ? LINEAGE_SAME : LINEAGE_CONVERTED);
		return;
	}
	if (!s->is_update && node != s->target)
		lineage_add_edge(s->g, from, s->g->nodes[s->target].columns[0], LINEAGE_FILTER);
	for (size_t i = 0; i < s->n_tables && s->is_update; i++)
		if (s->tables[i].is_written && s->tables[i].node != node)
			lineage_add_edge(s->g, from, s->g->nodes[s->tables[i].node].columns[0],
					 LINEAGE_FILTER);
}

static void add_edges(struct statement *s, const struct mention *m)
{
	bool is_known = m->qualifier && has_alias(s, m->qualifier);

	for (size_t i = 0; i < s->n_tables; i++) {
		const struct table_of *t = &s->tables[i];
		size_t from;

		if (is_known && strcasecmp(t->alias, m->qualifier) != 0)
			continue;
		from = lineage_find_column(s->g, t->node, m->name);
		if (from != LINEAGE_NONE)
			add_edge(s, from, m);
	}
}

/* Selected with a *, or from what the statement makes itself: of which column is not known. */
static void add_rest(struct statement *s)
{
	size_t whole = s->g->nodes[s->target].columns[0];
	bool is_known = s->is_update;

	for (size_t i = 0; i < s->n_mentions; i++)
		is_known |= s->mentions[i].into != NOWHERE;
	for (size_t i = 0; i < s->n_mentions && !is_known; i++)
		for (size_t j = 0; j < s->n_tables; j++) {
			size_t from =
			    lineage_find_column(s->g, s->tables[j].node, s->mentions[i].name);

			if (from != LINEAGE_NONE && s->tables[j].node != s->target)
				lineage_add_edge(s->g, from, whole, LINEAGE_PART);
		}
}

static void end_statement(struct statement *s)
{
	const struct statement empty = {.g = s->g,
					.databases = s->databases,
					.arena = s->arena,
					.target = LINEAGE_NONE,
					.position = NOWHERE};

	bool writes = s->target != LINEAGE_NONE && !s->databases->only_tables;

	for (size_t i = 0; i < s->n_mentions && writes; i++)
		add_edges(s, &s->mentions[i]);
	if (writes)
		add_rest(s);
	*s = empty;
	arena_clear(&s->arena);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void take_sign(struct statement *s, struct lineage_token t)
{
	s->depth += lineage_token_is(t, "(");
	s->depth -= s->depth && lineage_token_is(t, ")");
	if (s->depth || !s->is_list || !lineage_token_is(t, ","))
		return;
	s->has_expressions = false;
	s->position = s->is_update ? NOWHERE : s->position + 1;
}

/* Words that say what a statement does. False: it is a name. */
static bool take_word(struct statement *s, struct lineage_token t, struct str *rest)
{
	static const char *const ends[] = {"from", "where", "limit", "union", NULL};

	if (t.kind != TOKEN_WORD)
		return false;
	if (lineage_token_is(t, "insert") || lineage_token_is(t, "replace")) {
		begin_insert(s, rest);
	} else if (lineage_token_is(t, "update") && s->target == LINEAGE_NONE) {
		begin_update(s, rest);
	} else if (lineage_token_is(t, "temporary") && lineage_token_is(peek(*rest), "table")) {
		(void)lineage_next_token(rest);
		read_create(s, rest);
	} else if (lineage_token_is(t, "duplicate")) { /* what was selected, once more */
		s->is_over = true;
	} else if (lineage_token_is(t, s->is_update ? "set" : "select") && !s->depth) {
		s->is_list = true;
		s->position = s->is_update ? NOWHERE : 0;
	} else if (is_one_of(t, ends) && !s->depth) {
		s->is_list = false;
	} else {
		return false;
	}
	return true;
}

void lineage_read_procedure(struct lineage_graph *g, const struct lineage_databases *databases,
			    struct str text)
{
	struct statement *s = MEM_NEW(struct statement);
	struct lineage_token t;

	*s = (struct statement){
	    .g = g, .databases = databases, .target = LINEAGE_NONE, .position = NOWHERE};
	while ((t = lineage_next_token(&text)).kind != TOKEN_END) {
		if (lineage_token_is(t, ";"))
			end_statement(s);
		else if (s->is_over || take_word(s, t, &text))
			continue;
		else if (is_name(t))
			take_name(s, t, &text);
		else
			take_sign(s, t);
	}
	end_statement(s);
	arena_done(&s->arena);
	mem_free(s);
}
