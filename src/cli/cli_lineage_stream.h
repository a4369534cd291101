/*
 * Lineage of a worker, which runs as long as it likes: a run of job sync.COLLECTION for each
 * collection, with an event a window (lineage.window) in which something was carried, and runs of
 * index.words.COLLECTION and index.meaning.COLLECTION while the index reads all of it.
 *
 * A thread with a connection of its own writes; who carries changes only counts. What cannot be
 * written is told once, counted on, and tried again with the next window.
 *
 * new, stop: one thread; the others any.
 */
#pragma once

#include "cli/cli_lineage.h"
#include "sync/sync.h"

struct cli_lineage_stream;

struct cli_lineage_stream_options {
	/* The index as search_engine_status() tells; NULL: there is none. */
	void (*index_status)(void *arg, struct strbuf *json);
	void *arg;
};

/* NULL when lineage.enabled is false; the calls below take it. `line` lives as long. */
struct cli_lineage_stream *cli_lineage_stream_new(const struct command_line *line,
						  const struct cli_lineage_stream_options *options);
/* A document was carried; quick. */
void cli_lineage_stream_count(struct cli_lineage_stream *s, const struct sync_change *change);
/* The index begins to read a collection anew; NULL: all of them. */
void cli_lineage_stream_rebuild(struct cli_lineage_stream *s, const char *collection);
/* Writes what was counted and ends the runs; frees. A server that does not answer is waited for a
 * few seconds: what it then lacks is ended by the next worker. False: it is there until the process
 * ends, which is to be now. */
bool cli_lineage_stream_stop(struct cli_lineage_stream *s) _must_check_;
