/*
 * `aethermart embed bench`: how fast the local encoder is on texts of one's own.
 *
 * Two figures. Throughput: all threads encode slices of the texts, over and over. Latency: one
 * text at a time, on one thread, from bytes to vector, tokenizer included. Each gets half of the
 * time, after one round that is not counted, in which oneDNN generates code for the lengths that
 * occur.
 */
#include "base/clock.h"
#include "base/table.h"
#include "cli/cli.h"
#include "cli/cli_embed.h"
#include "embed/bert.h"
#include "embed/embed_local.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

#define TEXTS_MAX   1000000
#define BYTES_MAX   ((size_t)512 << 20)
#define SLICE	    64	    /* texts that a thread takes at a time */
#define WARM_TEXTS  2000    /* encoded before time is taken */
#define SAMPLES_MAX 1000000 /* latencies kept: minutes */
#define THREADS_MAX 256
#define SECONDS_MAX 3600

static const struct command_option options[] = {
    {"texts", COMMAND_TEXT, "FILE", NULL, 0, 0, "the texts, one a line; \"-\": standard input"},
    {"threads", COMMAND_NUMBER, "N", "1", 1, THREADS_MAX, "threads for the throughput"},
    {"seconds", COMMAND_NUMBER, "S", "6", 1, SECONDS_MAX, "how long to measure"},
    {0},
};

struct texts {
	struct strbuf bytes;
	struct str *items;
	uint32_t *tokens; /* of each */
	size_t n, total_tokens;
};

struct result {
	uint64_t texts, tokens;
	double seconds;
	double p50_ms, p99_ms;
};

/* --- the texts ------------------------------------------------------------------------------- */

static void texts_done(struct texts *t)
{
	mem_free(t->tokens);
	mem_free(t->items);
	strbuf_done(&t->bytes);
}

static int read_texts(const char *path, struct texts *t, struct err *err)
{
	_cleanup_(embed_reader_freep) struct embed_reader *reader = embed_reader_new(&path, 1);
	_cleanup_(mem_freep) size_t *stops = NULL;
	size_t cap = 0;
	int got;

	t->bytes.max = BYTES_MAX;
	while ((got = embed_reader_next(reader, &t->bytes, err)) > 0) {
		if (t->n == TEXTS_MAX)
			return err_set(err, ERR_LIMIT, "\"%s\" has above %d lines", path,
				       TEXTS_MAX);
		mem_grow(&stops, &cap, t->n + 1, sizeof(*stops));
		stops[t->n++] = t->bytes.len;
	}
	if (got == 0)
		got = strbuf_check(&t->bytes, path, err);
	if (got < 0)
		return got;
	if (!stops)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" has no lines", path);
	t->items = mem_alloc_array(t->n, sizeof(*t->items));
	for (size_t i = 0, start = 0; i < t->n; start = stops[i++])
		t->items[i] = (struct str){strbuf_str(&t->bytes) + start, stops[i] - start};
	return 0;
}

static void count_tokens(const struct bert_model *m, struct texts *t)
{
	t->tokens = mem_alloc_array(t->n, sizeof(*t->tokens));
	for (size_t i = 0; i < t->n; i++) {
		t->tokens[i] = (uint32_t)bert_count_tokens(m, t->items[i]);
		t->total_tokens += t->tokens[i];
	}
}

/* --- throughput ------------------------------------------------------------------------------ */

struct run {
	struct bert_model *model;
	const struct texts *texts;
	int64_t deadline_us;
	atomic_size_t next; /* slice */
	atomic_uint_fast64_t n_texts, n_tokens;
	pthread_mutex_t lock; /* guards the error */
	struct err err;
};

static int encode_slices(struct run *run, struct bert_context *c, float *vectors, struct err *err)
{
	const struct texts *t = run->texts;
	size_t slices = (t->n + SLICE - 1) / SLICE;
	int r = 0;

	while (r == 0 && clock_monotonic_us() < run->deadline_us) {
		size_t first = atomic_fetch_add(&run->next, 1) % slices * SLICE;
		size_t n = t->n - first < SLICE ? t->n - first : SLICE;
		uint64_t tokens = 0;

		for (size_t i = 0; i < n; i++)
			tokens += t->tokens[first + i];
		r = bert_encode(c, t->items + first, n, vectors, err);
		atomic_fetch_add(&run->n_texts, n);
		atomic_fetch_add(&run->n_tokens, tokens);
	}
	return r;
}

static void *run_thread(void *arg)
{
	struct run *run = arg;
	_cleanup_(bert_context_freep) struct bert_context *c = NULL;
	_cleanup_(mem_freep) float *vectors =
	    mem_alloc_array(SLICE * (size_t)bert_model_info(run->model)->dimension, sizeof(float));
	struct err err = {0};
	int r = bert_context_new(run->model, &c, &err);

	if (r == 0)
		r = encode_slices(run, c, vectors, &err);
	if (r < 0) {
		pthread_mutex_lock(&run->lock);
		run->err = err;
		pthread_mutex_unlock(&run->lock);
	}
	return NULL;
}

static int run_throughput(struct run *run, unsigned threads, int64_t time_us, struct result *ret,
			  struct err *err)
{
	pthread_t ids[THREADS_MAX];
	int64_t start = clock_monotonic_us();
	unsigned n = 0;

	run->deadline_us = start + time_us;
	(void)pthread_mutex_init(&run->lock, NULL);
	while (n < threads && pthread_create(&ids[n], NULL, run_thread, run) == 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(ids[i], NULL);
	(void)pthread_mutex_destroy(&run->lock);
	ret->seconds = (double)(clock_monotonic_us() - start) / 1e6;
	ret->texts = atomic_load(&run->n_texts);
	ret->tokens = atomic_load(&run->n_tokens);
	if (n < threads)
		return err_set(err, ERR_LIMIT, "only %u of %u threads could be started", n,
			       threads);
	if (run->err.code == ERR_OK)
		return 0;
	*err = run->err;
	return -(int)run->err.code;
}

/* --- latency --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double percentile_ms(const uint32_t *sorted, size_t n, size_t percent)
{
	size_t i = (n * percent + 99) / 100; /* nearest rank */

	return (double)sorted[i ? i - 1 : 0] / 1e3;
}

static int run_single(struct bert_context *c, const struct texts *t, int64_t time_us,
		      struct result *ret, struct err *err)
{
	_cleanup_(mem_freep) uint32_t *samples = mem_alloc_array(SAMPLES_MAX, sizeof(*samples));
	float vector[BERT_HIDDEN_MAX];
	int64_t now = clock_monotonic_us(), deadline = now + time_us;
	size_t n = 0;

	while (n < SAMPLES_MAX && (now < deadline || n == 0)) {
		int r = bert_encode(c, &t->items[n % t->n], 1, vector, err);
		int64_t then = now;

		if (r < 0)
			return r;
		now = clock_monotonic_us();
		samples[n++] = (uint32_t)(now - then);
	}
	qsort(samples, n, sizeof(*samples), by_value);
	ret->p50_ms = percentile_ms(samples, n, 50);
	ret->p99_ms = percentile_ms(samples, n, 99);
	return 0;
}

/* Both ways of asking, once, so that all code is there. */
static int warm_up(struct bert_context *c, const struct texts *t, unsigned dimension,
		   struct err *err)
{
	size_t n = t->n < WARM_TEXTS ? t->n : WARM_TEXTS;
	_cleanup_(mem_freep) float *vectors = mem_alloc_array(n * dimension, sizeof(float));
	int r = bert_encode(c, t->items, n, vectors, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = bert_encode(c, &t->items[i], 1, vectors, err);
	return r;
}

static int measure(struct bert_model *m, const struct texts *t, const struct command_line *line,
		   struct result *ret, struct err *err)
{
	_cleanup_(bert_context_freep) struct bert_context *c = NULL;
	struct run run = {.model = m, .texts = t};
	int64_t half_us = command_number(line, "seconds") * 500000;
	int r = bert_context_new(m, &c, err);

	if (r == 0)
		r = warm_up(c, t, bert_model_info(m)->dimension, err);
	if (r == 0)
		r = run_throughput(&run, (unsigned)command_number(line, "threads"), half_us, ret,
				   err);
	return r < 0 ? r : run_single(c, t, half_us, ret, err);
}

/* --- the answer ------------------------------------------------------------------------------ */

static int print_json(const struct result *r, const struct texts *t, const struct bert_info *info,
		      int64_t threads, struct err *err)
{
	return cli_print_json(
	    json_pack("{s:f, s:f, s:f, s:f, s:I, s:s, s:s, s:I, s:f}", "texts_per_second",
		      (double)r->texts / r->seconds, "tokens_per_second",
		      (double)r->tokens / r->seconds, "single_p50_ms", r->p50_ms, "single_p99_ms",
		      r->p99_ms, "threads", (json_int_t)threads, "precision", info->precision_name,
		      "kernels", info->kernels, "texts", (json_int_t)t->n, "tokens_per_text",
		      (double)t->total_tokens / (double)t->n),
	    err);
}

static void add_figure(struct table *t, const char *name, double value, int digits,
		       const char *unit)
{
	_cleanup_(mem_freep) char *text = mem_printf("%.*f", digits, value);

	table_add(t, (const char *const[]){name, text, unit});
}

static int print_table(const struct result *r, const struct texts *t, const struct bert_info *info,
		       int64_t threads, struct err *err)
{
	static const char *const titles[] = {"FIGURE", ">VALUE", "UNIT", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);

	add_figure(table, "throughput", (double)r->texts / r->seconds, 1, "texts a second");
	add_figure(table, "throughput", (double)r->tokens / r->seconds, 0, "tokens a second");
	add_figure(table, "one text, median", r->p50_ms, 3, "milliseconds, one thread");
	add_figure(table, "one text, 99 of 100", r->p99_ms, 3, "milliseconds, one thread");
	table_print(table, stdout);
	(void)printf("\n%zu texts of %.1f tokens in the mean; %s on %s kernels, %lld thread%s.\n",
		     t->n, (double)t->total_tokens / (double)t->n, info->precision_name,
		     info->kernels, (long long)threads, threads == 1 ? "" : "s");
	return cli_flush(err);
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(bert_model_freep) struct bert_model *model = NULL;
	_cleanup_(texts_done) struct texts texts = {0};
	const char *path = command_text(line, "texts");
	int64_t threads = command_number(line, "threads");
	struct result result = {0};
	int r;

	if (!path)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"--texts FILE\" is missing: what is to be encoded?");
	r = read_texts(path, &texts, err);
	if (r == 0)
		r = embed_local_open_model(line->config, &model, err);
	if (r < 0)
		return r;
	count_tokens(model, &texts);
	r = measure(model, &texts, line, &result, err);
	if (r < 0)
		return r;
	return line->json ? print_json(&result, &texts, bert_model_info(model), threads, err)
			  : print_table(&result, &texts, bert_model_info(model), threads, err);
}

const struct command command_embed_bench = {
    .name = "bench",
    .summary = "measures the local encoder on texts of your own",
    .options = options,
    .help = "Throughput with many texts at a time, and the time that one text takes alone. The "
	    "model is that of embed.dir, in embed.precision, whatever embed.provider says.\n\n"
	    "  aethermart embed bench --texts titles.txt --threads 2\n"
	    "  aethermart embed bench --texts titles.txt --embed.precision f32 --json",
    .run = run,
};
