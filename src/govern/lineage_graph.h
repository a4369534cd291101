/*
 * What is made of what, at rest: datasets, their columns, and edges between columns, from the
 * mappings, the views, procedures, functions and triggers of a server, and the rules of search.
 * Nothing is recorded here: it is what the program and the servers are set up to do.
 *
 * Of mappings and rules every edge is known by column. Of views it is read from what the server
 * writes down of them: columns of the select list by column, what joins or filters as a whole. Of
 * routines their statements are read, with variables and calls between them: lineage_procedure.c.
 *
 * Immutable once made; any number of threads may read it.
 */
#pragma once

#include "base/map.h"
#include "govern/access.h"
#include "govern/lineage.h"
#include "search/search_rules.h"

enum lineage_use { /* in the order of how much they say; direct ones first */
		   LINEAGE_SAME,
		   LINEAGE_CONVERTED,
		   LINEAGE_AGGREGATE,
		   LINEAGE_PART, /* of a statement that writes it: of which column is not known */
		   LINEAGE_JOIN,
		   LINEAGE_FILTER,
		   LINEAGE_SORT,
		   LINEAGE_USES
};
bool lineage_use_is_direct(enum lineage_use use);
const char *lineage_use_name(enum lineage_use use);    /* "IDENTITY", as OpenLineage has it */
const char *lineage_kind_name(enum lineage_kind kind); /* "table" */
/* The names of a column's classes (no more than LINEAGE_CLASSES); how many. */
#define LINEAGE_CLASSES 32
size_t lineage_class_names(uint32_t classes, const char *ret[LINEAGE_CLASSES]);

struct lineage_edge {
	size_t from, to; /* columns */
	enum lineage_use use;
};

struct lineage_column {
	const char *name;	    /* "": the dataset as a whole */
	const char *type, *meaning; /* "" when not known */
	/* Classes of personal data, a bit each: its own, or those that came along with its values.
	 */
	uint32_t classes;
	bool is_classed; /* somebody has said which, or that it is open: what comes along is not it
			  */
	size_t node;
};

struct lineage_node { /* a dataset */
	enum lineage_kind kind;
	const char *name, *meaning;
	const char *version; /* of a collection: hash of its mapping; else NULL */
	bool is_passing;     /* was there while the graph was made: no edge has to do with it */
	size_t n_columns, columns_cap;
	size_t *columns; /* in their order; [0] is the whole */
};

struct lineage_read { /* a routine names a column in its text */
	size_t column, routine;
};

struct lineage_graph {
	struct arena arena;
	struct map by_name, by_edge, by_read;
	size_t n_nodes, nodes_cap, n_columns, columns_cap, n_edges, edges_cap;
	struct lineage_node *nodes;
	struct lineage_column *columns;
	struct lineage_edge *edges;
	size_t n_reads, reads_cap, n_texts, texts_cap;
	struct lineage_read *reads;
	struct lineage_text *texts; /* while it is made */
};

/* What it is made of; all but `schema` may be NULL. */
struct lineage_parts {
	const struct schema *schema;
	const struct mapping_set *mappings;
	const struct access *access; /* classes of columns; NULL: those of the mappings alone */
	const struct search_rules *rules; /* bound */
	struct maria *db;		  /* views, routines of shop and warehouse */
	const char *warehouse;
};
int lineage_graph_new(const struct lineage_parts *parts, struct lineage_graph **ret,
		      struct err *err) _must_check_;
struct lineage_graph *lineage_graph_free(struct lineage_graph *g);
DEFINE_CLEANUP(struct lineage_graph *, lineage_graph_free)

/* Nodes and columns go by their numbers in the graph. */
#define LINEAGE_NONE SIZE_MAX /* there is none */
/* A table by any case of its letters. */
size_t lineage_find_node(const struct lineage_graph *g, enum lineage_kind kind, const char *name);
/* `column` "": the whole. */
size_t lineage_find_column(const struct lineage_graph *g, size_t node, const char *column);

/* The datasets that one is made of, or has to be looked into for it (`arena`). 0 of what is not
 * known, too. */
size_t lineage_inputs(const struct lineage_graph *g, enum lineage_kind kind, const char *name,
		      struct arena *arena, const struct lineage_dataset **ret);
/* The datasets of a kind that are made of something. */
size_t lineage_made(const struct lineage_graph *g, enum lineage_kind kind, struct arena *arena,
		    const struct lineage_dataset **ret);

/*
 * All that depends on a column (of a whole dataset: on any of its columns), nearest first.
 * What depends on which rows there are is told, and what is made of that; not which rows these
 * decide in turn.
 */
struct lineage_reach {
	size_t column;
	size_t from;	      /* the column before it on the way */
	enum lineage_use use; /* of the last edge */
	bool is_direct;	      /* all the way */
};
struct lineage_reaches {
	size_t len, cap;
	struct lineage_reach *items; /* owned (mem_free) */
};
void lineage_impact(const struct lineage_graph *g, size_t start, struct lineage_reaches *ret);
/* The routines that name the column (of a whole dataset: any of its columns), or one of a view that
 * has its value: "procedure sp_MyProfile". */
struct lineage_reader {
	const char *routine;
	size_t column; /* the one that it names */
};
size_t lineage_readers(const struct lineage_graph *g, size_t start,
		       const struct lineage_reaches *reaches, struct arena *arena,
		       const struct lineage_reader **ret);

/* "Products.price", "product_catalog.category.name", "Products", with or without "table:" or
 * another kind before it. ERR_NOT_FOUND with the nearest name. */
int lineage_parse_name(const struct lineage_graph *g, const char *text, size_t *ret,
		       struct err *err) _must_check_;

/* --- drawn ----------------------------------------------------------------------------------- */

/* Datasets and which of them is made of which, without what nothing is known of: all, or those that
 * a column's dataset is made of or that are made of it. */
struct lineage_link {
	size_t from, to; /* nodes */
	bool is_direct;	 /* a value goes this way, not only which rows */
};
struct lineage_picture {
	const struct lineage_graph *g;
	struct arena arena;
	bool *is_shown; /* by node */
	size_t n_links;
	struct lineage_link *links;
};
void lineage_picture_init(struct lineage_picture *p, const struct lineage_graph *g,
			  const size_t *only);
void lineage_picture_done(struct lineage_picture *p);
/* Whether a column of it is personal. */
bool lineage_is_personal(const struct lineage_graph *g, size_t node);

void lineage_picture_dot(const struct lineage_picture *p, struct strbuf *b);
void lineage_picture_svg(const struct lineage_picture *p, struct strbuf *b);
