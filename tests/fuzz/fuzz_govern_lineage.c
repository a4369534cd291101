/* Any bytes as the definition of a view and as the text of a routine: edges between columns that
 * are there, and no others. */
#include "fuzz.h"
#include "govern/lineage_int.h"

#include "base/banned.h"

const char fuzz_corpus[] = "govern_lineage";

static void check(const struct lineage_graph *g)
{
	for (size_t i = 0; i < g->n_edges; i++) {
		bug_if(g->edges[i].from >= g->n_columns || g->edges[i].to >= g->n_columns);
		bug_if(g->edges[i].use >= LINEAGE_USES || g->edges[i].from == g->edges[i].to);
	}
	for (size_t i = 0; i < g->n_nodes; i++)
		bug_if(!g->nodes[i].n_columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const columns[] = {"id", "name", "price", "customer"};
	struct lineage_routine routine = {.shop = "shop", .warehouse = "dw"};
	struct lineage_graph *g = MEM_NEW(struct lineage_graph);
	const struct str text = {(const char *)data, size};
	size_t nodes[] = {lineage_add_node(g, LINEAGE_TABLE, "Products", ""),
			  lineage_add_node(g, LINEAGE_TABLE, "Orders", ""),
			  lineage_add_node(g, LINEAGE_WAREHOUSE, "Fact", ""),
			  lineage_add_node(g, LINEAGE_VIEW, "v", "")};
	struct lineage_reaches reaches = {0};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		for (size_t j = 0; j < ARRAY_LEN(columns); j++)
			(void)lineage_add_column(g, nodes[i], columns[j]);
	lineage_read_view(g, "shop", nodes[3], text);
	lineage_read_generated(g, nodes[2], g->nodes[nodes[2]].columns[0], text);
	for (int i = 0; i < 4; i++) {
		routine.home = i < 2 ? LINEAGE_WAREHOUSE : LINEAGE_TABLE;
		routine.table = i < 2 ? LINEAGE_NONE : nodes[0];
		routine.node =
		    i < 2 ? LINEAGE_NONE : lineage_add_passing(g, LINEAGE_ROUTINE, "procedure p");
		routine.only_tables = i % 2 == 0;
		lineage_read_routine(g, &routine, text);
	}
	check(g);
	lineage_contract(g);
	check(g);
	for (size_t i = 0; i < g->n_edges; i++)
		bug_if(g->nodes[g->columns[g->edges[i].from].node].is_passing ||
		       g->nodes[g->columns[g->edges[i].to].node].is_passing);
	lineage_impact(g, g->nodes[0].columns[1], &reaches);
	bug_if(reaches.len > g->n_columns);
	mem_free(reaches.items);
	lineage_graph_free(g);
	return 0;
}
