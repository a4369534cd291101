/*
 * Edges of a routine (procedure, function, trigger), from its text, which is as its author wrote
 * it. Its statements are looked at one by one: what is selected goes into columns by its place
 * (INSERT ... SELECT, VALUES, SELECT ... INTO, FETCH), what is set by its name (UPDATE, SET, :=).
 * What else a statement names (in FROM, WHERE) has a part in which rows it writes. A column of a
 * subquery is found by the name that it gets there.
 *
 * Variables, parameters and what a function returns are columns of the routine, and @x is one of
 * all routines: they pass on (lineage_passing.c). NEW and OLD are the trigger's table. Conditions
 * of IF, CASE and loops only make the routine a reader.
 *
 * A name with an alias before it is a column of that table; one without is a variable, or else a
 * column of any table of the statement that has such a column. So an edge may be too many.
 *
 * Temporary tables are made as passing datasets, with the columns of their CREATE.
 */
#include "govern/lineage_statement_int.h"

#include <strings.h>

#include "base/banned.h"

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

static size_t add_variable(const struct statement *s, const char *name)
{
	return s->routine->node == LINEAGE_NONE ? NOWHERE
						: lineage_add_column(s->g, s->routine->node, name);
}

/* --- tables ---------------------------------------------------------------------------------- */

static size_t find_table(const struct statement *s, enum lineage_kind home, const char *table)
{
	size_t node = lineage_find_node(s->g, home, table);

	return node == LINEAGE_NONE && home == LINEAGE_TABLE
		   ? lineage_find_node(s->g, LINEAGE_VIEW, table)
		   : node;
}

/* `db.table`: of the shop, or of the warehouse by its name; NONE: it is neither. */
static size_t named_table(const struct statement *s, const char *database, const char *table)
{
	if (cstr_equal(database, s->routine->shop))
		return find_table(s, LINEAGE_TABLE, table);
	if (s->routine->warehouse && cstr_equal(database, s->routine->warehouse))
		return find_table(s, LINEAGE_WAREHOUSE, table);
	return LINEAGE_NONE;
}

/* `t` or `db.t`: a table of the routine's database, or of its statements themselves. NONE: of
 * elsewhere. */
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
	node = find_table(s, s->routine->home, name);
	return node == LINEAGE_NONE ? lineage_add_passing(s->g, s->routine->home, name) : node;
}

/* Behind a table stands its alias, or a word of the language. */
static void add_table(struct statement *s, size_t node, const char *name, struct str *rest)
{
	static const char *const words[] = {
	    "on",    "join",  "straight_join", "left",	 "right",  "inner",	"cross", "natural",
	    "where", "group", "order",	       "limit",	 "set",	   "union",	"using", "having",
	    "do",    "for",   "from",	       "select", "then",   "end",	"into",	 "values",
	    "use",   "force", "ignore",	       "lock",	 "except", "intersect", NULL};

	if (lineage_token_is(peek(*rest), "as"))
		(void)lineage_next_token(rest);
	if (is_name(peek(*rest)) && !is_one_of(peek(*rest), words))
		name = text_of(s, lineage_next_token(rest));
	if (s->n_tables < NAMES_MAX)
		s->tables[s->n_tables++] = (struct table_of){
		    .alias = name, .node = node, .depth = lineage_select_depth(s)};
}

/* --- what is written ------------------------------------------------------------------------- */

/* "(a, b)" behind the target; without it all columns, in their order. */
static void read_columns(struct statement *s, struct str *rest)
{
	const struct lineage_node *node = &s->g->nodes[s->target];
	struct str ahead = *rest;
	struct lineage_token t = lineage_next_token(&ahead);

	if (!lineage_token_is(t, "(") || lineage_token_is(peek(ahead), "select")) {
		for (size_t i = 1; i < node->n_columns && s->n_into < NAMES_MAX; i++)
			s->into[s->n_into++] = node->columns[i];
		return;
	}
	*rest = ahead;
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
	lineage_level(s)->clause = CLAUSE_FROM;
}

/* CREATE [OR REPLACE] TEMPORARY TABLE t (column type, ...): a table that is there already gets
 * nothing new. Or of what is selected. */
static void read_create(struct statement *s, struct str *rest)
{
	static const char *const keys[] = {"primary", "key",	    "unique",	"index",
					   "foreign", "constraint", "fulltext", NULL};
	struct lineage_token t = lineage_next_token(rest);
	size_t node, depth = 0;
	bool is_first = false;

	if (!is_name(t))
		return;
	node = written_table(s, t, rest);
	if (node == LINEAGE_NONE || !s->g->nodes[node].is_passing)
		return;
	s->target = node;
	s->makes_of = node;
	s->makes = "";
	if (!lineage_token_is(peek(*rest), "("))
		return;
	while (peek(*rest).kind != TOKEN_END && !lineage_token_is(peek(*rest), ";")) {
		t = lineage_next_token(rest);
		if (is_first && is_name(t) && !is_one_of(t, keys))
			(void)lineage_add_column(s->g, node, text_of(s, t));
		depth += lineage_token_is(t, "(");
		depth -= depth && lineage_token_is(t, ")");
		is_first = depth == 1 && (lineage_token_is(t, "(") || lineage_token_is(t, ","));
	}
}

/* Variables behind INTO, and where it ends. */
static void read_into(struct statement *s, struct str *rest)
{
	s->n_into = 0;
	do {
		bool is_session = lineage_token_is(peek(*rest), "@");
		const char *name;

		if (is_session)
			(void)lineage_next_token(rest);
		if (!is_name(peek(*rest)))
			return;
		name = text_of(s, lineage_next_token(rest));
		if (s->n_into < NAMES_MAX)
			s->into[s->n_into++] = lineage_find_variable(
			    s, arena_printf(&s->arena, "%s%s", is_session ? "@" : "", name));
	} while (lineage_token_is(peek(*rest), ",") && lineage_next_token(rest).kind != TOKEN_END);
}

static const char *place_of(struct statement *s, const char *cursor, size_t place)
{
	return arena_printf(&s->arena, "%s#%zu", cursor, place);
}

/* FETCH [NEXT FROM] c INTO a, b: what the cursor selected, by its place. */
static void read_fetch(struct statement *s, struct str *rest)
{
	const char *cursor = "";
	struct lineage_token t;

	while (is_name(peek(*rest)) && !lineage_token_is(t = lineage_next_token(rest), "into"))
		cursor = text_of(s, t);
	read_into(s, rest);
	for (size_t i = 0; i < s->n_into; i++) {
		size_t from = lineage_find_variable(s, place_of(s, cursor, i));

		if (from != NOWHERE && s->into[i] != NOWHERE)
			lineage_add_edge(s->g, from, s->into[i], LINEAGE_SAME);
	}
	s->n_into = 0;
}

/* --- what it is made of: names --------------------------------------------------------------- */

/* In SET: what stands before "=" is written: a variable, or of an UPDATE a column of the table that
 * it says, or else of the first. */
static bool take_assigned(struct statement *s, const struct mention *m, struct str rest)
{
	struct table_of *into = &s->tables[0];

	if (!s->is_set || s->depth != s->base || s->assigned != NOWHERE ||
	    s->levels[s->base].clause != CLAUSE_NONE || !lineage_token_is(peek(rest), "="))
		return false;
	s->assigned_depth = s->depth;
	if (!s->is_update) {
		s->assigned = lineage_find_of_trigger(s, m);
		if (s->assigned == NOWHERE && !m->qualifier)
			s->assigned = lineage_find_variable(s, m->name);
		return true;
	}
	for (size_t i = 0; m->qualifier && i < s->n_tables; i++)
		if (strcasecmp(s->tables[i].alias, m->qualifier) == 0)
			into = &s->tables[i];
	if (!s->n_tables)
		return true;
	into->is_written = true;
	s->assigned = lineage_find_column(s->g, into->node, m->name);
	return true;
}

/* @x, and @x := ... in whatever stands there; @@x is the server's. */
static void take_session(struct statement *s, struct str *rest)
{
	struct lineage_token t = lineage_next_token(rest);
	struct mention m = {.column = NOWHERE};
	struct str ahead;

	if (!is_name(t)) {
		if (lineage_token_is(t, "@") && is_name(peek(*rest)))
			(void)lineage_next_token(rest);
		return;
	}
	m.name = arena_printf(&s->arena, "@%s", text_of(s, t));
	ahead = *rest;
	if (lineage_token_is(lineage_next_token(&ahead), ":") &&
	    lineage_token_is(lineage_next_token(&ahead), "=")) {
		*rest = ahead;
		s->assigned = lineage_find_variable(s, m.name);
		s->assigned_depth = s->depth;
		return;
	}
	if (!take_assigned(s, &m, *rest))
		lineage_add_mention(s, m);
}

static size_t find_routine(struct statement *s, const char *kind, const char *name)
{
	bool is_shop = s->routine->home == LINEAGE_TABLE;

	return lineage_find_node(
	    s->g, LINEAGE_ROUTINE,
	    lineage_routine_name(&s->arena, kind, is_shop ? NULL : s->routine->warehouse, name));
}

/* A name before a parenthesis: a function; of ours, what it returns is used. */
static void take_function(struct statement *s, const char *name)
{
	size_t routine = find_routine(s, "function", name);
	size_t returned =
	    routine == LINEAGE_NONE ? NOWHERE : lineage_find_column(s->g, routine, LINEAGE_RETURN);

	/* Of one that is not ours only that what stands in it is converted. */
	lineage_add_mention(s, (struct mention){.name = "(", .column = returned});
	if (returned == NOWHERE)
		return;
	s->called = routine;
	s->is_called_procedure = false;
}

/* A table in FROM; what else stands there says nothing. */
static void take_table(struct statement *s, const struct mention *m, struct str *rest)
{
	size_t node = m->qualifier ? named_table(s, m->qualifier, m->name)
				   : find_table(s, s->routine->home, m->name);

	if (node != LINEAGE_NONE)
		add_table(s, node, m->name, rest);
}

/* VALUES(x) behind ON DUPLICATE KEY: what would be inserted, which was told. */
static bool skip_values(const struct statement *s, struct lineage_token t, struct str *rest)
{
	if (!s->is_late || (!lineage_token_is(t, "values") && !lineage_token_is(t, "value")))
		return false;
	while (peek(*rest).kind != TOKEN_END && !lineage_token_is(peek(*rest), ")"))
		(void)lineage_next_token(rest);
	(void)lineage_next_token(rest);
	return true;
}

/* x, t.x or t.* */
static struct mention read_mention(struct statement *s, struct lineage_token t, struct str *rest)
{
	struct mention m = {.name = text_of(s, t), .column = NOWHERE};
	struct str ahead = *rest;
	struct lineage_token name;

	if (!lineage_token_is(lineage_next_token(&ahead), "."))
		return m;
	name = lineage_next_token(&ahead);
	if (!is_name(name) && !lineage_token_is(name, "*"))
		return m;
	s->has_star |= !is_name(name);
	m.qualifier = m.name;
	m.name = text_of(s, name);
	*rest = ahead;
	return m;
}

static void take_name(struct statement *s, struct lineage_token t, struct str *rest)
{
	struct mention m;

	if (skip_values(s, t, rest))
		return;
	m = read_mention(s, t, rest);
	if (lineage_level(s)->clause == CLAUSE_FROM) {
		take_table(s, &m, rest);
		return;
	}
	lineage_level(s)->last = m.name;
	if (lineage_token_is(peek(*rest), "(") && (t.kind == TOKEN_WORD || m.qualifier))
		take_function(s, m.name);
	else if (!take_assigned(s, &m, *rest))
		lineage_add_mention(s, m);
}

/* An item of a list is over: a subquery's is known by its name from now on. */
static void end_item(struct statement *s)
{
	struct level *l = lineage_level(s);

	if (!l->is_select || l->clause != CLAUSE_LIST)
		return;
	for (size_t i = l->first; i < s->n_mentions && s->depth > s->base; i++)
		if (s->mentions[i].rows == NOWHERE || s->mentions[i].rows < s->depth)
			s->mentions[i].as = l->last;
	if (s->depth == s->base && s->makes && s->place < NAMES_MAX && l->last) {
		const char *name = *s->makes == '#'
				       ? place_of(s, s->makes + 1, s->place)
				       : arena_printf(&s->arena, "%s%s", s->makes, l->last);

		while (s->n_into <= s->place)
			s->into[s->n_into++] = NOWHERE;
		s->into[s->place] = lineage_add_column(s->g, s->makes_of, name);
	}
	l->first = s->n_mentions;
	l->last = NULL;
}

static void end_statement(struct statement *s)
{
	if (s->is_begun && !s->routine->only_tables) {
		if (s->depth == s->base)
			end_item(s);
		lineage_add_statement(s);
	}
	lineage_begin_statement(s);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void open_level(struct statement *s, struct str rest)
{
	bool is_grouped = lineage_level(s)->clause == CLAUSE_FROM && !s->was_name &&
			  !lineage_token_is(peek(rest), "select");

	s->depth++;
	*lineage_level(s) = (struct level){.clause = is_grouped ? CLAUSE_FROM : CLAUSE_NONE,
					   .first = s->n_mentions};
	if (s->is_values && s->depth == s->base) {
		lineage_level(s)->clause = CLAUSE_LIST;
		s->place = 0;
	}
	if (s->called == LINEAGE_NONE || s->n_calls == DEPTH_MAX)
		return;
	s->calls[s->n_calls++] = (struct call){
	    .routine = s->called, .depth = s->depth, .is_procedure = s->is_called_procedure};
	s->called = LINEAGE_NONE;
}

static void close_level(struct statement *s)
{
	end_item(s);
	if (s->n_calls && s->calls[s->n_calls - 1].depth == s->depth)
		s->n_calls--;
	if (s->assigned_depth == s->depth && s->depth > s->base)
		s->assigned = NOWHERE;
	if (s->is_values && s->depth == s->base)
		lineage_level(s)->clause = CLAUSE_NONE;
	s->depth -= s->depth > 0;
}

static void take_comma(struct statement *s)
{
	end_item(s);
	if (s->n_calls && s->calls[s->n_calls - 1].depth == s->depth)
		s->calls[s->n_calls - 1].argument++;
	if (s->assigned_depth == s->depth)
		s->assigned = NOWHERE;
	if (s->depth == s->base && lineage_level(s)->clause == CLAUSE_LIST)
		s->place++;
	if (lineage_level(s)->clause == CLAUSE_ON)
		lineage_level(s)->clause = CLAUSE_FROM;
}

static void take_sign(struct statement *s, struct lineage_token t, struct str *rest)
{
	s->is_begun = true;
	if (lineage_token_is(t, "@")) {
		take_session(s, rest);
	} else if (lineage_token_is(t, "(")) {
		open_level(s, *rest);
	} else if (lineage_token_is(t, ")")) {
		close_level(s);
	} else if (lineage_token_is(t, ",")) {
		take_comma(s);
	} else if (lineage_token_is(t, ":") && !lineage_token_is(peek(*rest), "=")) {
		end_statement(s); /* a label */
	} else if (t.quoted.data && s->is_execute && s->target == LINEAGE_NONE) {
		struct str text = t.quoted;
		struct lineage_token word = lineage_next_token(&text);

		if (lineage_token_is(word, "insert") || lineage_token_is(word, "replace"))
			begin_insert(s, &text);
		s->is_text = s->target != LINEAGE_NONE;
	}
}

/* DECLARE a, b TYPE DEFAULT ...; c CURSOR FOR SELECT ...; EXIT HANDLER FOR ... what it does. */
static void begin_declare(struct statement *s, struct str *rest)
{
	static const char *const starts[] = {"begin", "set",	"insert", "update", "delete",
					     "call",  "select", "if",	  NULL};
	struct lineage_token t = lineage_next_token(rest);

	if (lineage_token_is(peek(*rest), "handler")) {
		while (peek(*rest).kind != TOKEN_END && !lineage_token_is(peek(*rest), ";") &&
		       !is_one_of(peek(*rest), starts))
			(void)lineage_next_token(rest);
		s->is_begun = false;
		return;
	}
	if (lineage_token_is(peek(*rest), "cursor")) {
		s->makes = arena_printf(&s->arena, "#%s", text_of(s, t));
		s->makes_of = s->routine->node;
		if (s->makes_of == LINEAGE_NONE)
			s->makes = NULL;
		return;
	}
	s->is_declare = true;
	while (is_name(t)) {
		s->declared = add_variable(s, text_of(s, t));
		if (!lineage_token_is(peek(*rest), ","))
			break;
		(void)lineage_next_token(rest);
		t = lineage_next_token(rest);
	}
}

/* FOR r IN (SELECT ...) DO: r.column is what is selected. */
static void begin_for(struct statement *s, struct str *rest)
{
	struct lineage_token t = lineage_next_token(rest);

	if (!is_name(t) || !lineage_token_is(peek(*rest), "in") || s->routine->node == LINEAGE_NONE)
		return;
	(void)lineage_next_token(rest);
	s->base = lineage_token_is(peek(*rest), "(");
	s->makes = arena_printf(&s->arena, "%s.", text_of(s, t));
	s->makes_of = s->routine->node;
}

static void begin_call(struct statement *s, struct str *rest)
{
	struct lineage_token t = lineage_next_token(rest);

	if (lineage_token_is(peek(*rest), ".")) {
		(void)lineage_next_token(rest);
		t = lineage_next_token(rest);
	}
	s->called = is_name(t) ? find_routine(s, "procedure", text_of(s, t)) : LINEAGE_NONE;
	s->is_called_procedure = true;
}

/* The word with which a statement begins. False: none that is known. */
static bool take_first(struct statement *s, struct lineage_token t, struct str *rest)
{
	if (lineage_token_is(t, "insert") || lineage_token_is(t, "replace")) {
		begin_insert(s, rest);
	} else if (lineage_token_is(t, "update")) {
		begin_update(s, rest);
	} else if (lineage_token_is(t, "declare")) {
		s->is_begun = true;
		begin_declare(s, rest);
		return true;
	} else if (lineage_token_is(t, "set")) {
		s->is_set = true;
	} else if (lineage_token_is(t, "call")) {
		begin_call(s, rest);
	} else if (lineage_token_is(t, "for")) {
		begin_for(s, rest);
	} else if (lineage_token_is(t, "fetch")) {
		read_fetch(s, rest);
	} else if (lineage_token_is(t, "execute")) {
		s->is_execute = true;
	} else if (lineage_token_is(t, "return")) {
		s->assigned = lineage_find_variable(s, LINEAGE_RETURN);
	} else if (lineage_token_is(t, "loop") || lineage_token_is(t, "repeat")) {
		return true; /* what is done begins behind it */
	} else if (!lineage_token_is(t, "case") && !lineage_token_is(t, "end")) {
		return false;
	}
	s->is_begun = true;
	return true;
}

/* Words between statements, outside of expressions. False: it is none. */
static bool take_border(struct statement *s, struct lineage_token t)
{
	static const char *const borders[] = {"then", "else", "begin", "do", NULL};
	static const char *const conditions[] = {"elseif", "when", "until", NULL};

	if (s->is_begun && lineage_token_is(t, "case")) {
		s->cases++;
		return true;
	}
	if (s->cases) {
		s->cases -= lineage_token_is(t, "end");
		return lineage_token_is(t, "end");
	}
	if (s->depth || (!is_one_of(t, borders) && !is_one_of(t, conditions)))
		return false;
	end_statement(s);
	s->is_begun = is_one_of(t, conditions);
	return true;
}

/* FROM, JOIN, ON. False: it is none of them. */
static bool take_from(struct statement *s, struct lineage_token t)
{
	static const char *const joins[] = {"join", "straight_join", NULL};
	static const char *const conditions[] = {"on", "using", NULL};
	struct level *l = lineage_level(s);

	if (lineage_token_is(t, "from") && (l->is_select || !s->depth)) {
		end_item(s);
		l->clause = CLAUSE_FROM;
	} else if (is_one_of(t, joins) && l->clause >= CLAUSE_FROM) {
		l->clause = CLAUSE_FROM;
	} else if (is_one_of(t, conditions) && l->clause == CLAUSE_FROM) {
		l->clause = CLAUSE_ON;
	} else {
		return false;
	}
	return true;
}

/* What stands behind FROM, or is no part of what is selected or set. */
static bool take_rest(struct statement *s, struct lineage_token t, struct str *rest)
{
	static const char *const words[] = {"where", "group", "having", "order",
					    "limit", "union", "for",	NULL};
	struct level *l = lineage_level(s);
	bool is_base = s->depth == s->base;

	if (is_one_of(t, words) &&
	    (l->is_select || l->clause >= CLAUSE_FROM || (s->is_update && is_base))) {
		end_item(s);
		if (s->is_set && is_base)
			s->assigned = NOWHERE;
	} else if (lineage_token_is(t, "into") && l->is_select && is_base &&
		   s->target == LINEAGE_NONE) {
		end_item(s);
		read_into(s, rest);
	} else {
		return false;
	}
	l->clause = CLAUSE_REST;
	return true;
}

static void begin_values(struct statement *s)
{
	s->is_values = true;
	s->base = s->depth + 1;
}

/* ON DUPLICATE KEY UPDATE a = ...: columns of the target. */
static void begin_late(struct statement *s, struct str *rest)
{
	(void)lineage_next_token(rest); /* KEY */
	(void)lineage_next_token(rest); /* UPDATE */
	s->is_late = s->is_set = s->is_update = true;
	s->is_values = false;
	s->base = s->depth;
	*lineage_level(s) = (struct level){.first = s->n_mentions};
	if (s->n_tables == NAMES_MAX)
		s->n_tables--;
	memmove(&s->tables[1], &s->tables[0], s->n_tables++ * sizeof(s->tables[0]));
	s->tables[0] = (struct table_of){
	    .alias = s->g->nodes[s->target].name, .node = s->target, .is_late = true};
}

static void take_select(struct statement *s, struct str rest)
{
	*lineage_level(s) =
	    (struct level){.clause = CLAUSE_LIST, .is_select = true, .first = s->n_mentions};
	s->has_star |= lineage_token_is(peek(rest), "*");
	if (s->depth == s->base)
		s->place = 0;
}

/* What is written, behind the statement's first word. False: it is another word. */
static bool take_write(struct statement *s, struct lineage_token t, struct str *rest)
{
	static const char *const values[] = {"values", "value", NULL};

	if (lineage_token_is(t, "temporary") && lineage_token_is(peek(*rest), "table")) {
		(void)lineage_next_token(rest);
		read_create(s, rest);
		return true;
	}
	if (lineage_token_is(t, "default") && s->is_declare) {
		s->assigned = s->declared;
		return true;
	}
	if (s->depth || s->target == LINEAGE_NONE)
		return false;
	if (lineage_token_is(t, "duplicate")) {
		begin_late(s, rest);
	} else if (lineage_token_is(t, "set")) {
		s->is_set = s->is_update = true;
		s->levels[0].clause = CLAUSE_NONE;
	} else if (is_one_of(t, values) && !s->is_update && !s->is_values) {
		begin_values(s);
	} else {
		return false;
	}
	return true;
}

/* AS of an item, or of a type: a name that is no column. */
static bool take_as(struct statement *s, struct lineage_token t, struct str *rest)
{
	if (!lineage_token_is(t, "as") || peek(*rest).kind == TOKEN_SIGN ||
	    lineage_token_is(peek(*rest), "select"))
		return false;
	t = lineage_next_token(rest);
	lineage_level(s)->last = is_name(t) ? text_of(s, t) : NULL;
	return true;
}

/* Words that say what a statement does. False: it is a name. */
static bool take_word(struct statement *s, struct lineage_token t, struct str *rest)
{
	if (t.kind != TOKEN_WORD)
		return false;
	if (take_border(s, t) || (!s->is_begun && take_first(s, t, rest)))
		return true;
	s->is_begun = true;
	if (lineage_token_is(t, "select")) {
		take_select(s, *rest);
		return true;
	}
	return take_write(s, t, rest) || take_as(s, t, rest) || take_from(s, t) ||
	       take_rest(s, t, rest);
}

void lineage_read_routine(struct lineage_graph *g, const struct lineage_routine *routine,
			  struct str text)
{
	struct statement *s = MEM_NEW(struct statement);
	struct lineage_token t;

	s->g = g;
	s->routine = routine;
	lineage_begin_statement(s);
	while ((t = lineage_next_token(&text)).kind != TOKEN_END) {
		bool was_word = false;

		if (lineage_token_is(t, ";"))
			end_statement(s);
		else if (!(was_word = take_word(s, t, &text)) && is_name(t))
			take_name(s, t, &text);
		else if (!was_word)
			take_sign(s, t, &text);
		s->was_name = is_name(t) && !was_word;
		s->is_begun |= s->was_name;
	}
	end_statement(s);
	arena_done(&s->arena);
	mem_free(s);
}
