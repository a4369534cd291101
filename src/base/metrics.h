/*
 * Counters, gauges and histograms, served as Prometheus text. Declared in static tables by the
 * modules that count; made once at start (metric_series). Updates are
 * lock-free atomics and may come from any thread. One label at most, with values known beforehand
 * or registered at start (collections, workers).
 */
#pragma once

#include "base/strbuf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric; /* one series */

/*
 * Creates or finds the series of that name and label. `name` follows Prometheus rules
 * (aethermart_sync_applied_total); `label` NULL or a label name; `value` its value. Texts are
 * copied. Lives as long as the process.
 */
struct metric *metric_series(enum metric_type type, const char *name, const char *help,
			     const char *label, const char *value);

void metric_add(struct metric *m, uint64_t n); /* counter */
void metric_set(struct metric *m, int64_t v);  /* gauge */
void metric_observe(struct metric *m,
		    int64_t us); /* histogram of microseconds, exported in seconds */

int64_t metric_value(const struct metric *m); /* counter or gauge; a histogram's count */

/* Quantile 0..1 in microseconds of what was observed within about the last minute; -1: nothing. */
int64_t metric_quantile(struct metric *m, double q);

/* Appends the whole registry in Prometheus' text format 0.0.4. */
void metrics_export(struct strbuf *b);

/* The same at a moment of the caller's (clock_monotonic_us()): for tests. */
void metric_observe_at(struct metric *m, int64_t us, int64_t now_us);
int64_t metric_quantile_at(struct metric *m, double q, int64_t now_us);
