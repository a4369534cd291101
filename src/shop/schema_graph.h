/*
 * The entity relationship diagram of a database, drawn from what the server says about it: tables
 * with their columns and keys, foreign keys as lines. Deterministic: the same schema gives the same
 * bytes, so that docs/schema.md can be compared. No state; any thread.
 */
#pragma once

#include "base/strbuf.h"
#include "store/schema.h"

enum shop_graph_format { SHOP_GRAPH_MERMAID, SHOP_GRAPH_DOT };

struct shop_graph_options {
	enum shop_graph_format format;
	bool is_complete; /* also what serves machines: staging, queues, records of the sync */
};

/* Appends the diagram; views are left out. */
void shop_schema_graph(const struct schema *schema, const struct shop_graph_options *options,
		       struct strbuf *ret);

/* Whether a table belongs to the shop itself (see is_complete). */
bool shop_schema_is_core(const char *table);
