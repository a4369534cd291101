/*
 * Progress of a long piece of work on stderr: a line that rewrites itself on a terminal (label,
 * done of total, rate, time left), a plain line every ten seconds elsewhere, nothing when quiet.
 * One thread.
 */
#pragma once

#include "base/strbuf.h"

struct progress {
	const char *label; /* borrowed */
	const char *unit;  /* "rows" */
	uint64_t total;	   /* 0: unknown */
	uint64_t done;
	int64_t started_us, shown_us;
	bool is_quiet, is_tty;
};

void progress_start(struct progress *p, const char *label, const char *unit, uint64_t total);
/* Cheap: draws ten times a second at most. */
void progress_update(struct progress *p, uint64_t done);
void progress_finish(struct progress *p); /* clears the line, writes the closing line */
void progress_set_quiet(bool quiet);	  /* for the whole process, at start */

/* The line at that moment: "load: 500 of 1000 rows (50%), 250/s, 2.0s left". */
void progress_line(const struct progress *p, int64_t now_us, struct strbuf *b);
