/*
 * Progress on stderr: see progress.h. The rate is the mean since the start: what is left is work of
 * the same kind, and a mean does not jump.
 */
#include "base/progress.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

#define TTY_INTERVAL_US	  100000   /* ten times a second reads as steady */
#define PLAIN_INTERVAL_US 10000000 /* a log should not fill with it */
#define LINE_MAX_BYTES	  200

static bool quiet_process;

void progress_set_quiet(bool quiet)
{
	quiet_process = quiet;
}

void progress_start(struct progress *p, const char *label, const char *unit, uint64_t total)
{
	int64_t now = clock_monotonic_us();

	*p = (struct progress){
	    .label = label,
	    .unit = unit,
	    .total = total,
	    .started_us = now,
	    .shown_us = now,
	    .is_quiet = quiet_process,
	    .is_tty = isatty(STDERR_FILENO) == 1,
	};
}

static double rate_of(const struct progress *p, int64_t now)
{
	int64_t us = now - p->started_us;

	return us > 0 ? (double)p->done * 1e6 / (double)us : 0.0;
}

void progress_line(const struct progress *p, int64_t now_us, struct strbuf *b)
{
	double rate = rate_of(p, now_us);
	char left[CLOCK_TEXT_SIZE];

	strbuf_addf(b, "%s: %" PRIu64, p->label, p->done);
	if (p->total)
		strbuf_addf(b, " of %" PRIu64, p->total);
	strbuf_addf(b, " %s", p->unit);
	if (p->total)
		strbuf_addf(b, " (%.0f%%)",
			    p->done >= p->total ? 100.0
						: (double)p->done * 100.0 / (double)p->total);
	strbuf_addf(b, ", %.0f/s", rate);
	if (p->total > p->done && rate > 0.0)
		strbuf_addf(b, ", %s left",
			    clock_format_duration(
				(int64_t)((double)(p->total - p->done) / rate * 1e6), left));
}

static void draw(struct progress *p, int64_t now)
{
	struct strbuf b = STRBUF_INIT(LINE_MAX_BYTES);

	p->shown_us = now;
	progress_line(p, now, &b);
	if (p->is_tty)
		fprintf(stderr, "\r%s\033[K", strbuf_str(&b));
	else
		fprintf(stderr, "%s\n", strbuf_str(&b));
	(void)fflush(stderr);
	strbuf_done(&b);
}

void progress_update(struct progress *p, uint64_t done)
{
	int64_t now;

	p->done = done;
	if (p->is_quiet)
		return;
	now = clock_monotonic_us();
	if (now - p->shown_us >= (p->is_tty ? TTY_INTERVAL_US : PLAIN_INTERVAL_US))
		draw(p, now);
}

void progress_finish(struct progress *p)
{
	int64_t now = clock_monotonic_us();
	char took[CLOCK_TEXT_SIZE];

	if (p->is_quiet)
		return;
	fprintf(stderr, "%s%s: %" PRIu64 " %s in %s, %.0f/s\n", p->is_tty ? "\r\033[K" : "",
		p->label, p->done, p->unit, clock_format_duration(now - p->started_us, took),
		rate_of(p, now));
}
