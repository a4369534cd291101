/*
 * Metrics: see metrics.h.
 *
 * The registry is a list of families (name, type, help), each a list of series; it only grows, so
 * a series' address is good for ever and updates need no lock. Creating and exporting take the
 * mutex.
 *
 * A histogram counts twice. The exported buckets are cumulative over the life of the process, as
 * Prometheus wants them. For quantiles of the last minute it also counts into windows of ten
 * seconds, in buckets of a power of two divided by eight (an error of 6 % at most). A window is
 * reused by whoever first observes in a new ten seconds: it is marked, emptied and given its new
 * number; what other threads observe in that moment is left out of the window (not out of the
 * exported buckets), which a quantile does not notice.
 */
#include "base/metrics.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/banned.h"

/* Upper bounds in microseconds: 1 ms to 60 s, as the lag of a change is read by people. */
static const int64_t bounds_us[] = {1000,    2500,    5000,	10000,	  25000,
				    50000,   100000,  250000,	500000,	  1000000,
				    2500000, 5000000, 10000000, 30000000, 60000000};
#define N_BOUNDS       ARRAY_LEN(bounds_us)

#define WINDOWS	       7 /* six full ones and the one that is being filled: a minute */
#define WINDOW_US      10000000
#define FINE_STEPS     8U			 /* per power of two */
#define FINE_BUCKETS   ((size_t)41 * FINE_STEPS) /* up to 2^41 us: 25 days */
#define WINDOW_CLEARED (-1)

struct window {
	_Atomic int64_t number; /* of the ten seconds since start of the clock, WINDOW_CLEARED */
	_Atomic uint32_t counts[FINE_BUCKETS];
};

struct histogram {
	_Atomic uint64_t buckets[N_BOUNDS + 1]; /* not cumulative; the last is +Inf */
	_Atomic uint64_t sum_us;
	struct window windows[WINDOWS];
};

struct metric {
	enum metric_type type;
	const char *label, *value; /* NULL: none */
	_Atomic int64_t number;
	struct histogram *histogram; /* HISTOGRAM only */
	struct metric *next;
};

struct family {
	enum metric_type type;
	const char *name, *help;
	struct metric *series, **last;
	struct family *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct family *families; /* guarded by the mutex */

/* --- registry -------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(const char *s, bool colon)
{
	if (!is_letter(*s))
		return false;
	while (is_letter(*s) || (*s >= '0' && *s <= '9') || (colon && *s == ':'))
		s++;
	return !*s;
}

static struct family *family_of(enum metric_type type, const char *name, const char *help)
{
	struct family **f = &families;

	while (*f && !cstr_equal((*f)->name, name))
		f = &(*f)->next;
	if (*f) {
		bug_if((*f)->type != type);
		return *f;
	}
	*f = MEM_NEW(struct family);
	(*f)->type = type;
	(*f)->name = mem_strdup(name);
	(*f)->help = mem_strdup(help);
	(*f)->last = &(*f)->series;
	return *f;
}

static bool is_series(const struct metric *m, const char *label, const char *value)
{
	if (!m->label || !label)
		return !m->label && !label;
	return cstr_equal(m->label, label) && cstr_equal(m->value, value);
}

struct metric *metric_series(enum metric_type type, const char *name, const char *help,
			     const char *label, const char *value)
{
	struct family *f;
	struct metric *m;

	bug_if(!is_name(name, true));
	bug_if(label && (!is_name(label, false) || cstr_equal(label, "le") || !value));
	pthread_mutex_lock(&mutex);
	f = family_of(type, name, help);
	for (m = f->series; m; m = m->next) {
		if (is_series(m, label, value))
			break;
	}
	if (!m) {
		m = MEM_NEW(struct metric);
		m->type = type;
		m->label = label ? mem_strdup(label) : NULL;
		m->value = label ? mem_strdup(value) : NULL;
		if (type == METRIC_HISTOGRAM)
			m->histogram = MEM_NEW(struct histogram);
		*f->last = m;
		f->last = &m->next;
	}
	pthread_mutex_unlock(&mutex);
	return m;
}

/* --- updates --------------------------------------------------------------------------------- */

void metric_add(struct metric *m, uint64_t n)
{
	bug_if(m->type != METRIC_COUNTER);
	atomic_fetch_add_explicit(&m->number, (int64_t)n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t v)
{
	bug_if(m->type != METRIC_GAUGE);
	atomic_store_explicit(&m->number, v, memory_order_relaxed);
}

/* Values below FINE_STEPS have a bucket each; above, the three bits after the leading one count. */
static size_t fine_bucket(int64_t us)
{
	unsigned exponent;
	size_t i;

	if (us < (int64_t)FINE_STEPS)
		return (size_t)us;
	exponent = 63U - (unsigned)__builtin_clzll((unsigned long long)us);
	i = (size_t)(exponent - 2) * FINE_STEPS + (size_t)((us >> (exponent - 3)) & 7);
	return i < FINE_BUCKETS ? i : FINE_BUCKETS - 1;
}

/* The middle of a fine bucket. */
static int64_t fine_value(size_t i)
{
	unsigned shift;

	if (i < FINE_STEPS)
		return (int64_t)i;
	shift = (unsigned)(i / FINE_STEPS) - 1;
	return ((int64_t)(i % FINE_STEPS + FINE_STEPS) << shift) + (((int64_t)1 << shift) >> 1);
}

static void observe_window(struct histogram *h, int64_t us, int64_t now_us)
{
	int64_t number = now_us / WINDOW_US;
	struct window *w = &h->windows[number % WINDOWS];
	int64_t found = atomic_load_explicit(&w->number, memory_order_acquire);

	if (found == WINDOW_CLEARED)
		return;
	if (found != number) {
		if (found > number ||
		    !atomic_compare_exchange_strong(&w->number, &found, WINDOW_CLEARED))
			return;
		for (size_t i = 0; i < FINE_BUCKETS; i++)
			atomic_store_explicit(&w->counts[i], 0, memory_order_relaxed);
		atomic_store_explicit(&w->number, number, memory_order_release);
	}
	atomic_fetch_add_explicit(&w->counts[fine_bucket(us)], 1, memory_order_relaxed);
}

void metric_observe_at(struct metric *m, int64_t us, int64_t now_us)
{
	struct histogram *h = m->histogram;
	size_t i = 0;

	bug_if(m->type != METRIC_HISTOGRAM);
	if (us < 0) /* two machines' clocks */
		us = 0;
	while (i < N_BOUNDS && us > bounds_us[i])
		i++;
	atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, (uint64_t)us, memory_order_relaxed);
	observe_window(h, us, now_us);
}

void metric_observe(struct metric *m, int64_t us)
{
	metric_observe_at(m, us, clock_monotonic_us());
}

/* --- reading --------------------------------------------------------------------------------- */

int64_t metric_value(const struct metric *m)
{
	uint64_t n = 0;

	if (m->type != METRIC_HISTOGRAM)
		return atomic_load_explicit(&m->number, memory_order_relaxed);
	for (size_t i = 0; i <= N_BOUNDS; i++)
		n += atomic_load_explicit(&m->histogram->buckets[i], memory_order_relaxed);
	return (int64_t)n;
}

int64_t metric_quantile_at(struct metric *m, double q, int64_t now_us)
{
	int64_t number = now_us / WINDOW_US;
	uint64_t counts[FINE_BUCKETS] = {0};
	uint64_t total = 0, rank, below = 0;

	bug_if(m->type != METRIC_HISTOGRAM);
	for (size_t w = 0; w < WINDOWS; w++) {
		struct window *window = &m->histogram->windows[w];
		int64_t of = atomic_load_explicit(&window->number, memory_order_acquire);

		if (of == WINDOW_CLEARED || of > number || of <= number - WINDOWS)
			continue;
		for (size_t i = 0; i < FINE_BUCKETS; i++) {
			uint32_t n = atomic_load_explicit(&window->counts[i], memory_order_relaxed);

			counts[i] += n;
			total += n;
		}
	}
	if (!total)
		return -1;
	q = q < 0.0 ? 0.0 : q > 1.0 ? 1.0 : q;
	rank = (uint64_t)(q * (double)(total - 1));
	for (size_t i = 0; i < FINE_BUCKETS; i++) {
		below += counts[i];
		if (below > rank)
			return fine_value(i);
	}
	return fine_value(FINE_BUCKETS - 1);
}

int64_t metric_quantile(struct metric *m, double q)
{
	return metric_quantile_at(m, q, clock_monotonic_us());
}

/* --- export ---------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *b, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\\')
			strbuf_addstr(b, "\\\\");
		else if (*s == '\n')
			strbuf_addstr(b, "\\n");
		else if (*s == '"' && quotes)
			strbuf_addstr(b, "\\\"");
		else
			strbuf_addch(b, *s);
	}
}

/* name_suffix{label="value",le="bound"}, then a space. */
static void add_sample(struct strbuf *b, const struct family *f, const struct metric *m,
		       const char *suffix, const char *bound)
{
	strbuf_addf(b, "%s%s", f->name, suffix);
	if (m->label || bound)
		strbuf_addch(b, '{');
	if (m->label) {
		strbuf_addf(b, "%s=\"", m->label);
		add_escaped(b, m->value, true);
		strbuf_addch(b, '"');
	}
	if (bound)
		strbuf_addf(b, "%sle=\"%s\"", m->label ? "," : "", bound);
	if (m->label || bound)
		strbuf_addch(b, '}');
	strbuf_addch(b, ' ');
}

/* Microseconds as seconds without trailing zeros: whatever the locale, "0.0025". */
static void add_seconds(struct strbuf *b, uint64_t us)
{
	strbuf_addf(b, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
	while (b->len && b->data[b->len - 1] == '0')
		strbuf_truncate(b, b->len - 1);
	if (b->len && b->data[b->len - 1] == '.')
		strbuf_truncate(b, b->len - 1);
}

static void export_histogram(struct strbuf *b, const struct family *f, const struct metric *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= N_BOUNDS; i++) {
		struct strbuf bound = STRBUF_INIT(32);

		if (i < N_BOUNDS)
			add_seconds(&bound, (uint64_t)bounds_us[i]);
		else
			strbuf_addstr(&bound, "+Inf");
		n += atomic_load_explicit(&m->histogram->buckets[i], memory_order_relaxed);
		add_sample(b, f, m, "_bucket", strbuf_str(&bound));
		strbuf_addf(b, "%" PRIu64 "\n", n);
		strbuf_done(&bound);
	}
	add_sample(b, f, m, "_sum", NULL);
	add_seconds(b, atomic_load_explicit(&m->histogram->sum_us, memory_order_relaxed));
	strbuf_addch(b, '\n');
	add_sample(b, f, m, "_count", NULL);
	strbuf_addf(b, "%" PRIu64 "\n", n);
}

void metrics_export(struct strbuf *b)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	pthread_mutex_lock(&mutex);
	for (const struct family *f = families; f; f = f->next) {
		strbuf_addf(b, "# HELP %s ", f->name);
		add_escaped(b, f->help, false);
		strbuf_addf(b, "\n# TYPE %s %s\n", f->name, types[f->type]);
		for (const struct metric *m = f->series; m; m = m->next) {
			if (m->type == METRIC_HISTOGRAM) {
				export_histogram(b, f, m);
				continue;
			}
			add_sample(b, f, m, "", NULL);
			strbuf_addf(b, "%" PRId64 "\n", metric_value(m));
		}
	}
	pthread_mutex_unlock(&mutex);
}
