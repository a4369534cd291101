/*
 * What passes on is taken out of the graph once all is read: temporary tables, variables and
 * parameters. Whatever they are made of makes what they go into. So who reads the graph knows
 * nothing of them.
 */
#include "govern/lineage_int.h"

#include "base/banned.h"

struct step {
	size_t column;
	enum lineage_use use; /* of the way so far */
};

struct contraction {
	struct lineage_graph *g;
	size_t n_columns, n_edges; /* before */
	size_t *first, *edges;	   /* numbers of the edges into each column */
	bool *is_seen;		   /* column * 2 + whether its value goes on */
	size_t n_steps, steps_cap;
	struct step *steps;
	size_t to;
	const struct lineage_text *text; /* NULL: of an edge */
};

size_t lineage_add_passing(struct lineage_graph *g, enum lineage_kind kind, const char *name)
{
	size_t n = g->n_nodes, node = lineage_add_node(g, kind, name, "");

	if (node == n)
		g->nodes[node].is_passing = true;
	return node;
}

void lineage_add_text(struct lineage_graph *g, size_t from, size_t target, const size_t *into,
		      size_t n_into)
{
	struct lineage_text t = {.from = from, .target = target, .n_into = n_into};

	t.into = arena_alloc(&g->arena, (n_into + 1) * sizeof(*into));
	for (size_t i = 0; i < n_into; i++)
		t.into[i] = into[i];
	mem_grow(&g->texts, &g->texts_cap, g->n_texts + 1, sizeof(*g->texts));
	g->texts[g->n_texts++] = t;
}

static bool is_passing(const struct lineage_graph *g, size_t column)
{
	return g->nodes[g->columns[column].node].is_passing;
}

static void index_edges(struct contraction *c)
{
	const struct lineage_graph *g = c->g;

	c->first = mem_alloc_array(c->n_columns + 2, sizeof(*c->first));
	c->edges = mem_alloc_array(c->n_edges + 1, sizeof(*c->edges));
	for (size_t i = 0; i < c->n_edges; i++)
		c->first[g->edges[i].to + 2]++;
	for (size_t i = 2; i < c->n_columns + 2; i++)
		c->first[i] += c->first[i - 1];
	for (size_t i = 0; i < c->n_edges; i++)
		c->edges[c->first[g->edges[i].to + 1]++] = i;
}

/* In a text a value goes to the column of its own name; of others it is not known where. */
static void reach_text(struct contraction *c, size_t from)
{
	const struct lineage_text *t = c->text;
	size_t same = lineage_find_column(c->g, t->target, c->g->columns[from].name);

	for (size_t i = 0; i < t->n_into; i++)
		if (t->into[i] == same && same != LINEAGE_NONE) {
			lineage_add_edge(c->g, from, same, LINEAGE_CONVERTED);
			return;
		}
	lineage_add_edge(c->g, from, c->g->nodes[t->target].columns[0], LINEAGE_FILTER);
}

static void reach(struct contraction *c, struct step s)
{
	size_t whole = c->g->nodes[c->g->columns[c->to].node].columns[0];

	if (is_passing(c->g, s.column)) {
		size_t mark = s.column * 2 + lineage_use_is_direct(s.use);

		if (c->is_seen[mark])
			return;
		c->is_seen[mark] = true;
		mem_grow(&c->steps, &c->steps_cap, c->n_steps + 1, sizeof(*c->steps));
		c->steps[c->n_steps++] = s;
	} else if (!lineage_use_is_direct(s.use)) {
		/* Not what the table has of itself: which of its own rows is its own affair. */
		if (c->g->columns[s.column].node != c->g->columns[c->to].node)
			lineage_add_edge(c->g, s.column, whole, LINEAGE_FILTER);
	} else if (c->text) {
		reach_text(c, s.column);
	} else {
		lineage_add_edge(c->g, s.column, c->to, s.use);
	}
}

static void reach_all(struct contraction *c, size_t column, enum lineage_use use, bool is_whole)
{
	for (size_t i = c->first[column]; i < c->first[column + 1]; i++) {
		const struct lineage_edge e = c->g->edges[c->edges[i]];
		enum lineage_use both = e.use > use ? e.use : use;

		/* Which rows of which rows: see lineage_impact(). */
		if (!lineage_use_is_direct(use) && (is_whole || !lineage_use_is_direct(e.use)))
			continue;
		reach(c, (struct step){e.from, is_whole ? LINEAGE_FILTER : both});
	}
}

/* All that is behind what passes on. */
static void walk(struct contraction *c)
{
	while (c->n_steps) {
		const struct step s = c->steps[--c->n_steps];
		size_t whole = c->g->nodes[c->g->columns[s.column].node].columns[0];

		reach_all(c, s.column, s.use, false);
		if (s.column != whole) /* which rows a temporary table has */
			reach_all(c, whole, s.use, true);
	}
}

static void clear_seen(struct contraction *c)
{
	memset(c->is_seen, 0, c->n_columns * 2 * sizeof(*c->is_seen));
}

static void contract_edges(struct contraction *c)
{
	for (size_t to = 0; to < c->n_columns; to++) {
		if (is_passing(c->g, to))
			continue;
		c->to = to;
		clear_seen(c);
		for (size_t i = c->first[to]; i < c->first[to + 1]; i++) {
			const struct lineage_edge e = c->g->edges[c->edges[i]];

			if (is_passing(c->g, e.from))
				reach(c, (struct step){e.from, e.use});
		}
		walk(c);
	}
}

static void contract_texts(struct contraction *c)
{
	for (size_t i = 0; i < c->g->n_texts; i++) {
		c->text = &c->g->texts[i];
		c->to = c->g->nodes[c->text->target].columns[0];
		clear_seen(c);
		if (!is_passing(c->g, c->to))
			reach(c, (struct step){c->text->from, LINEAGE_CONVERTED});
		walk(c);
	}
}

void lineage_contract(struct lineage_graph *g)
{
	struct contraction c = {.g = g, .n_columns = g->n_columns, .n_edges = g->n_edges};
	size_t n = 0;

	c.is_seen = mem_alloc_array(c.n_columns * 2 + 1, sizeof(*c.is_seen));
	index_edges(&c);
	contract_edges(&c);
	contract_texts(&c);
	for (size_t i = 0; i < g->n_edges; i++)
		if (!is_passing(g, g->edges[i].from) && !is_passing(g, g->edges[i].to))
			g->edges[n++] = g->edges[i];
	g->n_edges = n;
	map_done(&g->by_edge); /* their numbers have changed, and none comes any more */
	g->by_edge = (struct map){0};
	mem_free(c.first);
	mem_free(c.edges);
	mem_free(c.is_seen);
	mem_free(c.steps);
}
