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
/* What somebody has said of a column: a class, or ACCESS_OPEN; NULL: nothing. */
void lineage_set_class(struct lineage_graph *g, size_t column, const char *name);
/* When all edges are there: columns that nobody has classed get the classes of their values. */
void lineage_carry_classes(struct lineage_graph *g);

/*
 * The edges of a view, from its definition as information_schema shows it: names in backquotes,
 * tables with their database. What cannot be read adds nothing wrong: at worst an edge to the view
 * as a whole.
 */
void lineage_read_view(struct lineage_graph *g, const char *database, size_t view,
		       struct str definition);
/* The edges of a generated column, from its expression as information_schema shows it. */
void lineage_read_generated(struct lineage_graph *g, size_t node, size_t column,
			    struct str expression);
/* What passes on, and is taken out again: a temporary table, a routine with its variables. */
size_t lineage_add_passing(struct lineage_graph *g, enum lineage_kind kind, const char *name);
/* A statement that is put together at run time: `from` is part of what it writes into columns of a
 * table. */
struct lineage_text {
	size_t from, target, n_into;
	size_t *into;
};
void lineage_add_text(struct lineage_graph *g, size_t from, size_t target, const size_t *into,
		      size_t n_into);
void lineage_add_read(struct lineage_graph *g, size_t column, size_t routine);
/* When all is read: what passes on is gone, with edges past it. */
void lineage_contract(struct lineage_graph *g);

/* "procedure sp_CountRating", "function aethermart_dw.f_VersionAt"; `database` NULL: the shop's. */
const char *lineage_routine_name(struct arena *arena, const char *kind, const char *database,
				 const char *name);
/* A routine is a dataset that passes on. Its columns: parameters in their order, of type IN, OUT or
 * INOUT; what it returns; then variables. */
#define LINEAGE_RETURN "RETURN"
/* The edges of a routine, from its text. Tables that are none of shop or warehouse are made as
 * passing ones. */
struct lineage_routine {
	const char *shop, *warehouse; /* names of the databases */
	enum lineage_kind home;	      /* of tables without a database: LINEAGE_TABLE, _WAREHOUSE */
	size_t node;	  /* LINEAGE_NONE: it has no variables, and reads are not told */
	size_t table;	  /* of a trigger; LINEAGE_NONE */
	bool only_tables; /* makes the passing tables alone: one routine may know another's */
};
void lineage_read_routine(struct lineage_graph *g, const struct lineage_routine *routine,
			  struct str text);

/* --- text of views and routines --------------------------------------------------------------- */

enum lineage_token_kind { TOKEN_END, TOKEN_NAME, TOKEN_WORD, TOKEN_SIGN };

struct lineage_token {
	enum lineage_token_kind kind;
	struct str text;   /* of a NAME without its backquotes; a text in quotes is the SIGN "?" */
	struct str quoted; /* what stands in quotes of any kind */
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
