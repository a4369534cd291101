/*
 * A list that a verb prints: as JSON, an array of objects, or as a table for people.
 *
 *	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
 *	int r = audit_list(db, add_row, &l, err);
 *
 *	return r < 0 ? r : cli_list_print(&l, err);
 *
 * Who adds looks which of the two is wanted: `if (l->json)`. One thread.
 */
#pragma once

#include "base/table.h"
#include "cli/cli.h"

struct cli_list {
	json_t *json; /* with --json; else NULL */
	struct table *table;
	size_t n; /* for the verb to count in */
};

/* Titles as table_new() takes them. */
struct cli_list cli_list_new(const struct command_line *line, const char *const *titles);
/* The end of a verb, unless it has more to tell below a table. */
int cli_list_print(struct cli_list *l, struct err *err) _must_check_;
void cli_list_done(struct cli_list *l);
