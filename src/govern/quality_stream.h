/*
 * Checks that say `stream: yes`, judged on each document as the sync has written it: what fails
 * stands in Quality_Quarantine within moments, and is resolved when a later document of the key
 * passes, or is gone. The document is written all the same: MariaDB is the truth, and the stores
 * have to equal it.
 *
 * Judging happens on the sync's threads and asks no server. What has to be recorded goes into a
 * queue of QUALITY_WAITING_MAX findings, which a thread of its own writes; when MariaDB is slower
 * than documents fail, findings are lost, counted (aethermart_quality_lost_total) and said in the
 * log. A `quality run` of these checks makes good what was lost, since it reads all documents.
 */
#pragma once

#include "govern/quality.h"

#define QUALITY_WAITING_MAX 8192

struct quality_stream;

/* `checks` are taken; those that do not stream are of no account. `maria` is borrowed for as long
 * as the stream lives. Connects to nothing yet. */
struct quality_stream *quality_stream_start(struct quality_checks *checks,
					    const struct maria_options *maria);
/* Any thread; for each key the calls have to come in the order of its documents. */
void quality_stream_judge(struct quality_stream *s, const struct mapping *m,
			  const struct mapping_document *documents, size_t n);
/* Writes what waits, for two seconds at most, and frees. NULL is nothing. */
void quality_stream_stop(struct quality_stream *s);

struct quality_stream_state {
	size_t n_checks, n_open, n_waiting;
	uint64_t lost;
};
void quality_stream_state(struct quality_stream *s, struct quality_stream_state *ret);

/* Appends the right that the worker's account needs, as a line of SQL. */
void quality_stream_add_grant(struct strbuf *b, const char *database, const char *user);
