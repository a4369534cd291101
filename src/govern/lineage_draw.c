/*
 * The graph as a picture: in the language of Graphviz, and as SVG of our own.
 *
 * What is drawn has three columns by its nature (tables; views and collections; index and
 * warehouse), and all edges go from left to right, but for those between neighbours of one column.
 * That needs no general layout, for which Graphviz's library would come with its plugins, fonts and
 * a second look at every version: only an order in each column in which few edges cross. It is
 * found by putting each box at the mean of what it is joined to, a few times from left to right and
 * back (the barycentre method of Sugiyama), and is the same for the same graph.
 */
#include "govern/lineage_int.h"

#include <stdlib.h>

#include "base/banned.h"

/* --- what is shown --------------------------------------------------------------------------- */

bool lineage_is_personal(const struct lineage_graph *g, size_t node)
{
	for (size_t i = 1; i < g->nodes[node].n_columns; i++)
		if (g->columns[g->nodes[node].columns[i]].classes)
			return true;
	return false;
}

static int compare_links(const void *a, const void *b)
{
	const struct lineage_link *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return y->is_direct - x->is_direct; /* the one that says more comes first */
}

static void find_links(struct lineage_picture *p)
{
	const struct lineage_graph *g = p->g;
	size_t n = 0;

	for (size_t i = 0; i < g->n_edges; i++) {
		const struct lineage_edge *e = &g->edges[i];
		size_t from = g->columns[e->from].node, to = g->columns[e->to].node;

		if (from != to)
			p->links[p->n_links++] =
			    (struct lineage_link){from, to, lineage_use_is_direct(e->use)};
	}
	if (p->n_links)
		qsort(p->links, p->n_links, sizeof(*p->links), compare_links);
	for (size_t i = 0; i < p->n_links; i++)
		if (!n || p->links[n - 1].from != p->links[i].from ||
		    p->links[n - 1].to != p->links[i].to)
			p->links[n++] = p->links[i];
	p->n_links = n;
}

/* What is joined to the node against the links, or along them. */
static void spread(const struct lineage_picture *p, bool *marks, size_t node, bool is_forward)
{
	marks[node] = true;
	for (size_t i = 0; i < p->n_links; i++) {
		size_t here = is_forward ? p->links[i].from : p->links[i].to;
		size_t next = is_forward ? p->links[i].to : p->links[i].from;

		if (here == node && !marks[next])
			spread(p, marks, next, is_forward);
	}
}

static void keep_only(struct lineage_picture *p, size_t node)
{
	bool *before = arena_alloc(&p->arena, p->g->n_nodes), *behind;
	size_t n = 0;

	behind = arena_alloc(&p->arena, p->g->n_nodes);
	spread(p, before, node, false);
	spread(p, behind, node, true);
	for (size_t i = 0; i < p->n_links; i++) {
		const struct lineage_link *l = &p->links[i];

		if ((before[l->from] && before[l->to]) || (behind[l->from] && behind[l->to]))
			p->links[n++] = *l;
	}
	p->n_links = n;
	p->is_shown[node] = true;
}

void lineage_picture_init(struct lineage_picture *p, const struct lineage_graph *g,
			  const size_t *only)
{
	*p = (struct lineage_picture){.g = g};
	p->is_shown = arena_alloc(&p->arena, g->n_nodes);
	p->links = mem_alloc_array(g->n_edges + 1, sizeof(*p->links));
	find_links(p);
	if (only)
		keep_only(p, g->columns[*only].node);
	for (size_t i = 0; i < p->n_links; i++) {
		p->is_shown[p->links[i].from] = true;
		p->is_shown[p->links[i].to] = true;
	}
}

void lineage_picture_done(struct lineage_picture *p)
{
	mem_free(p->links);
	arena_done(&p->arena);
}

/* --- Graphviz -------------------------------------------------------------------------------- */

/* A quoted name of the language: only the quote is special there. */
static void add_quoted(struct strbuf *b, enum lineage_kind kind, const char *name)
{
	strbuf_addf(b, "\"%s ", lineage_kind_name(kind));
	for (; *name; name++)
		strbuf_addf(b, *name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
	strbuf_addch(b, '"');
}

static const char *const colours[LINEAGE_KINDS] = {
    [LINEAGE_TABLE] = "#2f6f9f",      [LINEAGE_VIEW] = "#6b7f8c",
    [LINEAGE_COLLECTION] = "#2e8b57", [LINEAGE_INDEX] = "#b8752a",
    [LINEAGE_WAREHOUSE] = "#7a5aa6",  [LINEAGE_FILE] = "#777777",
    [LINEAGE_ROUTINE] = "#777777",
};

static const char *colour_of(enum lineage_kind kind)
{
	return kind < LINEAGE_KINDS ? colours[kind] : "#000000";
}

void lineage_picture_dot(const struct lineage_picture *p, struct strbuf *b)
{
	const struct lineage_graph *g = p->g;

	strbuf_addstr(b, "digraph lineage {\n\trankdir=LR;\n\tnode [shape=box, style=filled, "
			 "fontname=sans, fontcolor=white];\n");
	for (size_t i = 0; i < g->n_nodes; i++) {
		if (!p->is_shown[i])
			continue;
		strbuf_addch(b, '\t');
		add_quoted(b, g->nodes[i].kind, g->nodes[i].name);
		strbuf_addf(b, " [fillcolor=\"%s\"%s];\n", colour_of(g->nodes[i].kind),
			    lineage_is_personal(g, i) ? ", color=\"#c0392b\", penwidth=3" : "");
	}
	for (size_t i = 0; i < p->n_links; i++) {
		const struct lineage_link *l = &p->links[i];

		strbuf_addch(b, '\t');
		add_quoted(b, g->nodes[l->from].kind, g->nodes[l->from].name);
		strbuf_addstr(b, " -> ");
		add_quoted(b, g->nodes[l->to].kind, g->nodes[l->to].name);
		strbuf_addf(b, "%s;\n", l->is_direct ? "" : " [style=dashed]");
	}
	strbuf_addstr(b, "}\n");
}

/* --- SVG: places ----------------------------------------------------------------------------- */

#define COLUMNS	    3
#define BOX_WIDTH   260
#define BOX_HEIGHT  28
#define ROW_HEIGHT  38
#define GAP	    220 /* between columns, for the edges */
#define MARGIN	    40
#define TOP	    96
#define ROUNDS	    12
#define LETTERS_MAX 26 /* bytes of a name in a box, left of the mark of personal data */

struct spot {
	size_t node;
	double at; /* wanted: the mean of what it is joined to */
};

struct layout {
	const struct lineage_picture *p;
	struct spot *columns[COLUMNS];
	size_t n[COLUMNS], most;
	double *y; /* of a node, in rows */
};

static int column_of(enum lineage_kind kind)
{
	switch (kind) {
	case LINEAGE_VIEW:
	case LINEAGE_COLLECTION:
		return 1;
	case LINEAGE_INDEX:
	case LINEAGE_WAREHOUSE:
		return 2;
	case LINEAGE_TABLE:
	case LINEAGE_FILE:
	case LINEAGE_ROUTINE:
	case LINEAGE_KINDS:
		break;
	}
	return 0;
}

/* Ties by number: always the same picture. */
static int compare_spots(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->at < y->at || x->at > y->at)
		return x->at < y->at ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

/* Rows in the order of the column, which stands in the middle of the picture's height. */
static void set_rows(struct layout *l, int column)
{
	double first = ((double)l->most - (double)l->n[column]) / 2;

	for (size_t i = 0; i < l->n[column]; i++)
		l->y[l->columns[column][i].node] = first + (double)i;
}

static void sort_column(struct layout *l, int column)
{
	const struct lineage_picture *p = l->p;

	for (size_t i = 0; i < l->n[column]; i++) {
		struct spot *s = &l->columns[column][i];
		double sum = 0;
		size_t n = 0;

		for (size_t j = 0; j < p->n_links; j++) {
			const struct lineage_link *k = &p->links[j];

			if (k->from != s->node && k->to != s->node)
				continue;
			sum += l->y[k->from == s->node ? k->to : k->from];
			n++;
		}
		s->at = n ? sum / (double)n : l->y[s->node];
	}
	if (l->n[column])
		qsort(l->columns[column], l->n[column], sizeof(struct spot), compare_spots);
	set_rows(l, column);
}

static void place(struct layout *l, struct arena *arena)
{
	const struct lineage_graph *g = l->p->g;

	l->y = arena_alloc(arena, g->n_nodes * sizeof(*l->y));
	for (int c = 0; c < COLUMNS; c++) {
		l->columns[c] = arena_alloc(arena, (g->n_nodes + 1) * sizeof(struct spot));
		for (size_t i = 0; i < g->n_nodes; i++)
			if (l->p->is_shown[i] && column_of(g->nodes[i].kind) == c)
				l->columns[c][l->n[c]++].node = i;
		l->most = l->n[c] > l->most ? l->n[c] : l->most;
	}
	for (int c = 0; c < COLUMNS; c++)
		set_rows(l, c);
	for (int round = 0; round < ROUNDS; round++)
		for (int c = 0; c < COLUMNS; c++)
			sort_column(l, round % 2 ? COLUMNS - 1 - c : c);
}

/* --- SVG: drawing ---------------------------------------------------------------------------- */

static void add_xml(struct strbuf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			strbuf_addstr(b, "&lt;");
		else if (*text == '>')
			strbuf_addstr(b, "&gt;");
		else if (*text == '&')
			strbuf_addstr(b, "&amp;");
		else if (*text == '"')
			strbuf_addstr(b, "&quot;");
		else if ((unsigned char)*text >= ' ')
			strbuf_addch(b, *text);
	}
}

static int left_of(const struct layout *l, size_t node)
{
	return MARGIN + column_of(l->p->g->nodes[node].kind) * (BOX_WIDTH + GAP);
}

static int middle_of(const struct layout *l, size_t node)
{
	return TOP + (int)(l->y[node] * ROW_HEIGHT) + BOX_HEIGHT / 2;
}

static void add_link(const struct layout *l, const struct lineage_link *k, struct strbuf *b)
{
	int x = left_of(l, k->from) + BOX_WIDTH, y = middle_of(l, k->from);
	int to_x = left_of(l, k->to), to_y = middle_of(l, k->to);
	bool is_beside = to_x < x; /* of one column: round the right side */

	if (is_beside) {
		int out = x + 24 + abs(to_y - y) / 12;

		to_x += BOX_WIDTH;
		strbuf_addf(b, "<path d=\"M%d %d C%d %d %d %d %d %d\"", x, y, out, y, out, to_y,
			    to_x + 5, to_y);
	} else {
		strbuf_addf(b, "<path d=\"M%d %d C%d %d %d %d %d %d\"", x, y, x + GAP / 2, y,
			    to_x - GAP / 2, to_y, to_x - 5, to_y);
	}
	strbuf_addf(b, " stroke=\"%s\"%s><title>", colour_of(l->p->g->nodes[k->from].kind),
		    k->is_direct ? "" : " stroke-dasharray=\"2 4\"");
	add_xml(b, l->p->g->nodes[k->from].name);
	strbuf_addstr(b, " &gt; ");
	add_xml(b, l->p->g->nodes[k->to].name);
	strbuf_addstr(b, "</title></path>\n");
}

static void add_box(const struct layout *l, size_t node, struct strbuf *b)
{
	const struct lineage_node *n = &l->p->g->nodes[node];
	int x = left_of(l, node), y = middle_of(l, node) - BOX_HEIGHT / 2;
	size_t cut = utf8_cut(str_from(n->name), LETTERS_MAX).len;
	char shown[LETTERS_MAX + 4];

	strbuf_addf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"%s\"/>",
		    x, y, BOX_WIDTH, BOX_HEIGHT, colour_of(n->kind));
	strbuf_addf(b, "<text x=\"%d\" y=\"%d\">", x + 12, y + 19);
	/* The title has all of it. */
	if (n->name[cut]) {
		strbuf_addstr(b, "<title>");
		add_xml(b, n->name);
		strbuf_addstr(b, "</title>");
	}
	(void)snprintf(shown, sizeof(shown), "%.*s%s", (int)cut, n->name,
		       n->name[cut] ? "..." : "");
	add_xml(b, shown);
	strbuf_addstr(b, "</text>");
	if (lineage_is_personal(l->p->g, node))
		strbuf_addf(b,
			    "<circle cx=\"%d\" cy=\"%d\" r=\"5\" fill=\"#ff6b5e\" stroke=\"#fff\">"
			    "<title>personal data</title></circle>",
			    x + BOX_WIDTH - 14, y + BOX_HEIGHT / 2);
	strbuf_addch(b, '\n');
}

static void add_legend(struct strbuf *b)
{
	static const enum lineage_kind shown[] = {LINEAGE_TABLE, LINEAGE_COLLECTION, LINEAGE_VIEW,
						  LINEAGE_INDEX, LINEAGE_WAREHOUSE};
	int x = MARGIN;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++, x += 120)
		strbuf_addf(b,
			    "<rect x=\"%d\" y=\"48\" width=\"14\" height=\"14\" rx=\"3\" "
			    "fill=\"%s\"/><text class=\"l\" x=\"%d\" y=\"60\">%s</text>\n",
			    x, colour_of(shown[i]), x + 20, lineage_kind_name(shown[i]));
	strbuf_addf(
	    b,
	    "<circle cx=\"%d\" cy=\"55\" r=\"5\" fill=\"#ff6b5e\"/>"
	    "<text class=\"l\" x=\"%d\" y=\"60\">personal data</text>\n"
	    "<text class=\"l\" x=\"%d\" y=\"60\">solid: values; dotted: which rows</text>\n",
	    x + 7, x + 20, x + 130);
}

void lineage_picture_svg(const struct lineage_picture *p, struct strbuf *b)
{
	struct layout l = {.p = p};
	_cleanup_(arena_done) struct arena arena = {0};
	int width = 2 * MARGIN + COLUMNS * BOX_WIDTH + (COLUMNS - 1) * GAP + 80, height;

	place(&l, &arena);
	height = TOP + (int)l.most * ROW_HEIGHT + MARGIN;
	strbuf_addf(b,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		    "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\">\n",
		    width, height, width, height);
	strbuf_addf(b,
		    "<style>text{fill:#fff;font-size:13px}.l{fill:#333}"
		    ".h{fill:#222;font-size:20px}path{fill:none;stroke-width:1.4;opacity:.55}"
		    "</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n"
		    "<text class=\"h\" x=\"%d\" y=\"32\">What is made of what</text>\n",
		    width, height, MARGIN);
	add_legend(b);
	for (size_t i = 0; i < p->n_links; i++)
		add_link(&l, &p->links[i], b);
	for (size_t i = 0; i < p->g->n_nodes; i++)
		if (p->is_shown[i])
			add_box(&l, i, b);
	strbuf_addstr(b, "</svg>\n");
}
