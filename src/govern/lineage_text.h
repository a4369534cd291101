/*
 * Making a graph (lineage_graph.h), and what is read of it from text that servers give: definitions
 * of views and procedures. Any bytes may come: what cannot be read adds nothing wrong. One thread
 * makes a graph; then it is immutable.
 */
#pragma once

#include "govern/lineage_graph.h"

size_t lineage_add_node(struct lineage_graph *g, enum lineage_kind kind, const char *name,
			const char *meaning);
/* The column of that name, made when it is not there. Texts are copied. */
size_t lineage_add_column(struct lineage_graph *g, size_t node, const char *name);
/* Once a pair; of two uses the one that says more stays. */
void lineage_add_edge(struct lineage_graph *g, size_t from, size_t to, enum lineage_use use);
size_t lineage_node_index(const struct lineage_graph *g, enum lineage_kind kind, const char *name);
#define LINEAGE_NONE SIZE_MAX

/*
 * The edges of a view, from its definition as information_schema shows it: names in backquotes,
 * tables with their database. What cannot be read adds nothing wrong: at worst an edge to the view
 * as a whole.
 */
void lineage_read_view(struct lineage_graph *g, const char *database, size_t view,
		       struct str definition);
/*
 * The edges of a procedure, from its text. `shop` and `warehouse` are the names of the databases;
 * tables that are no table of either are made as passing ones.
 */
struct lineage_databases {
	const char *shop, *warehouse;
	bool only_tables; /* makes the passing tables, and no edge: one procedure may know another's
			   */
};
void lineage_read_procedure(struct lineage_graph *g, const struct lineage_databases *databases,
			    struct str text);
