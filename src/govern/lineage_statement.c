/* Edges of a statement: see lineage_statement_int.h. */
#include "govern/lineage_statement_int.h"

#include <strings.h>

#include "base/banned.h"

#define HOPS_MAX 8 /* through subqueries of subqueries */

struct level *lineage_level(struct statement *s)
{
	return &s->levels[s->depth < DEPTH_MAX ? s->depth : DEPTH_MAX - 1];
}

size_t lineage_select_depth(const struct statement *s)
{
	size_t i = s->depth < DEPTH_MAX ? s->depth : DEPTH_MAX - 1;

	while (i && !s->levels[i].is_select)
		i--;
	return i;
}

/* --- variables ------------------------------------------------------------------------------- */

/* @x is the session's: of all routines. */
size_t lineage_find_variable(const struct statement *s, const char *name)
{
	size_t of = s->routine->node;

	if (*name == '@')
		return lineage_add_column(
		    s->g, lineage_add_passing(s->g, LINEAGE_ROUTINE, "session"), name);
	return of == LINEAGE_NONE ? NOWHERE : lineage_find_column(s->g, of, name);
}

/* NEW.x, OLD.x of a trigger. */
size_t lineage_find_of_trigger(const struct statement *s, const struct mention *m)
{
	if (s->routine->table == LINEAGE_NONE || !m->qualifier ||
	    (strcasecmp(m->qualifier, "new") != 0 && strcasecmp(m->qualifier, "old") != 0))
		return NOWHERE;
	return lineage_find_column(s->g, s->routine->table, m->name);
}

/* --- mentions -------------------------------------------------------------------------------- */

/* The deepest level at which a name only says which rows. */
static size_t rows_depth(const struct statement *s)
{
	size_t depth = s->depth < DEPTH_MAX ? s->depth : DEPTH_MAX - 1;

	for (size_t i = depth + 1; i-- > 0;)
		if (s->levels[i].clause >= CLAUSE_FROM)
			return i;
	return NOWHERE;
}

static size_t parameter_of(const struct statement *s, const struct call *c)
{
	const struct lineage_node *n = &s->g->nodes[c->routine];

	if (c->argument + 1 >= n->n_columns || !*s->g->columns[n->columns[c->argument + 1]].type)
		return NOWHERE;
	return n->columns[c->argument + 1];
}

void lineage_add_mention(struct statement *s, struct mention m)
{
	const struct call *c = s->n_calls ? &s->calls[s->n_calls - 1] : NULL;

	if (s->n_mentions == NAMES_MAX)
		return;
	m.rows = rows_depth(s);
	m.depth = lineage_select_depth(s);
	m.place =
	    s->levels[s->base].clause == CLAUSE_LIST && m.rows == NOWHERE ? s->place : NOWHERE;
	m.into = m.rows == NOWHERE || m.rows < s->assigned_depth ? s->assigned : NOWHERE;
	m.handed = c ? parameter_of(s, c) : NOWHERE;
	m.is_handed = c && c->is_procedure;
	m.is_late = s->is_late;
	m.as = NULL;
	s->mentions[s->n_mentions++] = m;
}

/* --- edges --------------------------------------------------------------- */

typedef void (*source_fn)(struct statement *s, struct mention *m, size_t column);

static bool has_alias(const struct statement *s, const char *alias)
{
	for (size_t i = 0; i < s->n_tables; i++)
		if (strcasecmp(s->tables[i].alias, alias) == 0)
			return true;
	return false;
}

static size_t find_known(struct statement *s, const struct mention *m)
{
	size_t column = m->column;

	if (column == NOWHERE)
		column = lineage_find_of_trigger(s, m);
	if (column == NOWHERE && !m->qualifier)
		column = lineage_find_variable(s, m->name);
	if (column == NOWHERE && m->qualifier && !has_alias(s, m->qualifier))
		column = lineage_find_variable(
		    s, arena_printf(&s->arena, "%s.%s", m->qualifier, m->name));
	return column;
}

/* The columns that a mention may be. False: none of a table, nor a variable. */
static bool each_source(struct statement *s, const struct mention *of, struct mention *flow,
			source_fn fn)
{
	bool is_known = of->qualifier && has_alias(s, of->qualifier);
	size_t column = find_known(s, of);
	bool has_found = column != NOWHERE;

	if (has_found)
		fn(s, flow, column);
	for (size_t i = 0; i < s->n_tables && column == NOWHERE; i++) {
		const struct table_of *t = &s->tables[i];
		size_t from;

		if ((is_known && strcasecmp(t->alias, of->qualifier) != 0) ||
		    (t->is_late && !of->is_late) || t->depth > of->depth)
			continue;
		from = lineage_find_column(s->g, t->node, of->name);
		if (from == LINEAGE_NONE)
			continue;
		has_found = true;
		fn(s, flow, from);
	}
	return has_found;
}

static bool is_alone(const struct statement *s, const struct mention *m)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_mentions; i++)
		n += s->mentions[i].place == m->place && s->mentions[i].into == m->into;
	return n == 1;
}

static size_t placed(const struct statement *s, const struct mention *m)
{
	return m->place < s->n_into ? s->into[m->place] : NOWHERE;
}

static bool is_value(const struct statement *s, const struct mention *m)
{
	return m->into != NOWHERE || m->handed != NOWHERE ||
	       (!m->is_handed && placed(s, m) != NOWHERE);
}

static bool is_out(const char *type)
{
	return strstr(type, "OUT") != NULL;
}

static void add_value(struct statement *s, struct mention *m, size_t from)
{
	enum lineage_use use = is_alone(s, m) ? LINEAGE_SAME : LINEAGE_CONVERTED;

	if (m->handed != NOWHERE) {
		const char *type = s->g->columns[m->handed].type;

		if (!is_out(type) || type[0] == 'I')
			lineage_add_edge(s->g, from, m->handed, LINEAGE_SAME);
		if (is_out(type))
			lineage_add_edge(s->g, m->handed, from, LINEAGE_SAME);
	}
	if (m->is_handed)
		return;
	if (m->into != NOWHERE)
		lineage_add_edge(s->g, from, m->into, use);
	if (placed(s, m) != NOWHERE)
		lineage_add_edge(s->g, from, placed(s, m), use);
}

static void go_through(struct statement *s, struct mention *of, struct mention *flow, size_t hops)
{
	if (each_source(s, of, flow, add_value) || !hops)
		return;
	for (size_t i = 0; i < s->n_mentions; i++) {
		struct mention *m = &s->mentions[i];

		if (m == of || m == flow || !m->as || strcasecmp(m->as, of->name) != 0)
			continue;
		m->has_gone = true;
		go_through(s, m, flow, hops - 1);
	}
}

/* To what is written: which rows it has; or, of a star, what they are. */
static void add_rows(struct statement *s, struct mention *m, size_t from)
{
	size_t node = s->g->columns[from].node;
	enum lineage_use use =
	    s->has_star && (!s->is_update || s->is_late) ? LINEAGE_PART : LINEAGE_FILTER;

	if (s->target != LINEAGE_NONE && !s->is_update && node != s->target)
		lineage_add_edge(s->g, from, s->g->nodes[s->target].columns[0], use);
	for (size_t i = 0; i < s->n_tables && s->is_update; i++)
		if (s->tables[i].is_written && s->tables[i].node != node)
			lineage_add_edge(s->g, from, s->g->nodes[s->tables[i].node].columns[0],
					 use);
	for (size_t i = 0; i < s->n_into && s->target == LINEAGE_NONE; i++)
		if (s->into[i] != NOWHERE)
			lineage_add_edge(s->g, from, s->into[i], LINEAGE_FILTER);
	(void)m;
}

static void add_text(struct statement *s, struct mention *m, size_t from)
{
	(void)m;
	lineage_add_text(s->g, from, s->target, s->into, s->n_into);
}

static void add_read(struct statement *s, struct mention *m, size_t from)
{
	(void)m;
	if (!s->g->nodes[s->g->columns[from].node].is_passing)
		lineage_add_read(s->g, from, s->routine->node);
}

static void add_reads(struct statement *s)
{
	for (size_t i = 0; i < s->n_mentions; i++)
		(void)each_source(s, &s->mentions[i], &s->mentions[i], add_read);
	for (size_t i = 0; i < s->n_tables && s->has_star; i++)
		for (size_t j = 1; j < s->g->nodes[s->tables[i].node].n_columns; j++)
			add_read(s, NULL, s->g->nodes[s->tables[i].node].columns[j]);
}

void lineage_add_statement(struct statement *s)
{
	for (size_t i = 0; i < s->n_mentions; i++) {
		struct mention *m = &s->mentions[i];

		if (!s->is_text && is_value(s, m)) {
			m->has_gone = true;
			go_through(s, m, m, HOPS_MAX);
		}
	}
	for (size_t i = 0; i < s->n_mentions; i++) {
		struct mention *m = &s->mentions[i];

		if (s->is_text)
			(void)each_source(s, m, m, add_text);
		else if (!m->has_gone && !m->is_handed)
			(void)each_source(s, m, m, add_rows);
	}
	if (s->routine->node != LINEAGE_NONE)
		add_reads(s);
}

void lineage_begin_statement(struct statement *s)
{
	const struct statement empty = {.g = s->g,
					.routine = s->routine,
					.arena = s->arena,
					.target = LINEAGE_NONE,
					.assigned = NOWHERE,
					.declared = NOWHERE,
					.called = LINEAGE_NONE};

	*s = empty;
	arena_clear(&s->arena);
}
