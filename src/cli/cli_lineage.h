/*
 * Lineage of a verb: a run that begins before its work and ends after it. Nothing here fails: what
 * could not be written is told as a warning, and the verb goes on.
 *
 *	struct cli_lineage *l = cli_lineage_begin(line, ENDPOINT_ADMIN, &job);
 *	int r = work(&report, err);
 *	cli_lineage_end(l, &io, r, err);
 */
#pragma once

#include "cli/cli.h"
#include "govern/lineage_graph.h"

struct cli_lineage;

/* NULL, with a warning, when there can be none; without one when lineage.enabled is false, or the
 * shop has no table for it yet. */
struct cli_lineage *cli_lineage_new(const struct command_line *line, enum endpoint_role role);
/* Of a lineage that is there: what the stores are made of; never NULL. */
const struct lineage_graph *cli_lineage_graph(const struct cli_lineage *l);
/* Begins the run. Without inputs of the job: those that its outputs are made of, as the graph has
 * it. NULL is nothing, as below. */
void cli_lineage_start(struct cli_lineage *l, const struct lineage_job *job);
/* Both. */
struct cli_lineage *cli_lineage_begin(const struct command_line *line, enum endpoint_role role,
				      const struct lineage_job *job);
/* Ends the run and frees. `io` NULL: that of the job; without inputs, or outputs: those of the job.
 * `r` and `err` are the verb's own; `err` is left as it is. */
void cli_lineage_end(struct cli_lineage *l, const struct lineage_io *io, int r,
		     const struct err *err);

/* A connection and what lineage knows of the stores. */
struct cli_lineage_place {
	struct arena arena;
	struct cli_shop shop;
	struct access *access; /* NULL: it does not fit, or the account may not read all of it */
	struct search_rules *rules; /* NULL: they do not fit */
	struct lineage_graph *graph;
	struct lineage_place place;
};
int cli_lineage_open(const struct command_line *line, enum endpoint_role role,
		     struct cli_lineage_place *ret, struct err *err) _must_check_;
void cli_lineage_close(struct cli_lineage_place *p); /* also after an error */
