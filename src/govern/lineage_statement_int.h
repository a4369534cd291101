/*
 * A statement of a routine, as lineage_procedure.c reads it: its tables, and the names in it that
 * may be columns, each with where its value goes. lineage_statement.c makes edges of that.
 */
#pragma once

#include "govern/lineage_int.h"

#define NAMES_MAX 512 /* of one statement; what is beyond is left out */
#define DEPTH_MAX 64  /* of parentheses; deeper ones are taken for this one */
#define NOWHERE	  SIZE_MAX

enum clause { CLAUSE_NONE, CLAUSE_LIST, CLAUSE_FROM, CLAUSE_ON, CLAUSE_REST };

struct level { /* of parentheses */
	enum clause clause;
	bool is_select;
	size_t first;	  /* mention of the item in hand */
	const char *last; /* name in it: what the item is called */
};

struct mention {	       /* a name that may be a column */
	const char *qualifier; /* NULL: none */
	const char *name;
	size_t column; /* NOWHERE: to be found by its name */
	size_t place;  /* in the list that is selected; NOWHERE: which rows */
	size_t into;   /* what it is assigned to */
	size_t handed; /* the parameter that it is handed to */
	size_t rows;   /* deepest level where it only says which rows */
	size_t depth;  /* of its SELECT: it sees the tables of that, and of those around it */
	const char *as;
	bool is_handed; /* to a procedure: no part of anything else */
	bool is_late;	/* behind ON DUPLICATE KEY */
	bool has_gone;	/* its value goes somewhere, by itself or under the name `as` */
};

struct table_of { /* of a statement */
	const char *alias;
	size_t node, depth;
	bool is_written; /* an UPDATE sets a column of it */
	bool is_late;
};

struct call {
	size_t routine, depth, argument;
	bool is_procedure;
};

struct statement {
	const struct lineage_routine *routine;
	struct lineage_graph *g;
	struct arena arena;
	bool is_begun, is_update, is_set, is_declare, is_values, is_late, is_execute, is_text;
	bool has_star, was_name;
	size_t target; /* node; NOWHERE: it writes no table */
	size_t depth, base, cases;
	size_t place, assigned, assigned_depth, declared;
	const char *makes; /* each item is a column of `makes_of`: with this before its name */
	size_t makes_of;
	size_t called; /* routine whose parenthesis comes next */
	bool is_called_procedure;
	size_t n_into, n_tables, n_mentions, n_calls;
	size_t into[NAMES_MAX]; /* columns, by their places */
	struct level levels[DEPTH_MAX];
	struct call calls[DEPTH_MAX];
	struct table_of tables[NAMES_MAX];
	struct mention mentions[NAMES_MAX];
};

/* Level of parentheses of the next token; of a SELECT the level at which it stands. */
struct level *lineage_level(struct statement *s);
size_t lineage_select_depth(const struct statement *s);

/* A variable or parameter of the routine; @x is the session's: of all routines. NOWHERE: none. */
size_t lineage_find_variable(const struct statement *s, const char *name);
/* NEW.x, OLD.x of a trigger. */
size_t lineage_find_of_trigger(const struct statement *s, const struct mention *m);

/* Of its name, and of its column when that is known; the rest is told by where the reader is. */
void lineage_add_mention(struct statement *s, struct mention m);
/* All edges of the statement, and what its routine reads. */
void lineage_add_statement(struct statement *s);
/* Nothing is known of the next one. */
void lineage_begin_statement(struct statement *s);
