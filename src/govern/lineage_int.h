/* What the files of lineage share. */
#pragma once

#include "govern/lineage_graph.h"

#include <jansson.h>

/* --- making a graph --------------------------------------------------------------------------- */

/*
 * From what is set up, and from text that servers give: definitions of views, bodies of routines.
 * Any bytes may come: what cannot be read adds nothing wrong. One thread makes a graph; then it is
 * immutable.
 */
size_t lineage_add_node(struct lineage_graph *g, enum lineage_kind kind, const char *name,
			const char *meaning);
/* The column of that name, made when it is not there. Texts are copied. */
size_t lineage_add_column(struct lineage_graph *g, size_t node, const char *name);
/* Once a pair; of two uses the one that says more stays. */
void lineage_add_edge(struct lineage_graph *g, size_t from, size_t to, enum lineage_use use);

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

/* --- text of views and procedures ------------------------------------------------------------ */

enum lineage_token_kind { TOKEN_END, TOKEN_NAME, TOKEN_WORD, TOKEN_SIGN };

struct lineage_token {
	enum lineage_token_kind kind;
	struct str text; /* of a NAME without its backquotes; a text in quotes is the SIGN "?" */
};
/* Takes the next one from the text; comments and white space are passed over. */
struct lineage_token lineage_next_token(struct str *s);
/* A word or a sign, in any case of its letters; a name in backquotes is none. */
bool lineage_token_is(struct lineage_token t, const char *word);

/* --- events ---------------------------------------------------------------------------------- */

enum lineage_type {
	LINEAGE_START,
	LINEAGE_RUNNING,
	LINEAGE_COMPLETE,
	LINEAGE_FAIL,
	LINEAGE_ABORT,
	LINEAGE_OTHER
};
const char *lineage_type_name(enum lineage_type type);

struct lineage_fact { /* what an event says */
	enum lineage_type type;
	const char *time; /* "2026-11-27 16:20:00.123456", UTC */
	const char *run, *job;
	const char *what; /* NULL: not said */
	bool is_stream;
	const char *error; /* NULL: none */
	struct lineage_io io;
};
/* The caller owns it. NULL: a text is no UTF-8. */
json_t *lineage_event_json(const struct lineage_place *place, const struct lineage_fact *fact);
/* "aethermart_db.Products": how an event calls a dataset within its namespace. */
void lineage_dataset_name(const struct lineage_place *place, enum lineage_kind kind,
			  const char *name, struct strbuf *b);

/* ERR_INVALID_ARGUMENT: what a person wrote as day or time is none. */
int lineage_check_day(struct maria *db, const char *day, struct err *err) _must_check_;

/* --- runs ------------------------------------------------------------------------------------ */

/* Whether the process, as Lineage_Runs has it, is known to be over; of another machine after a week
 * of silence. */
bool lineage_is_gone(const char *process, int64_t silent_s);
