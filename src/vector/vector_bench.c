/*
 * The bench. Every figure of searching comes from queries one at a time, as a server gets them. The
 * truth is an exact search for more than k, put in the order of the file's own floats: the stored
 * f16 could only change the order of vectors that are nearly equal, never bring one from far away.
 * A vector as near as the k-th best counts as one of the best.
 */
#include "vector/vector_bench.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "vector/vector_int.h"

#include <math.h>
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define EQUAL	       1e-6 /* scores that are this near are the same */
#define TRUTH_FACTOR   4U
#define PASSES	       3    /* the median of them counts */
#define FILTER_QUERIES 200U /* with a set of their own each: making it takes longer than asking */
#define CHURN_SHARE    5U   /* one of so many */
#define EF_STEP	       1.15

struct bench {
	const struct vector_bench_options *o;
	const struct vector_kernels
	    *kernels; /* asking the processor takes long in a virtual machine */
	struct vector_index *index;
	struct vector_reader *reader;
	double *limits; /* of each query: the k-th best true score */
	float *times;	/* of the last pass, in microseconds */
	struct vector_hit *hits;
	uint8_t *is_gone; /* of each vector, while churning */
};

/* --- the truth ------------------------------------------------------------------------------- */

static double score_of(const struct bench *b, const float *query, size_t i)
{
	const struct vector_set *base = b->o->base;
	const float *v = vector_set_at(base, i);
	const struct vector_kernels *k = b->kernels;
	double dot = (double)k->dot_f32(query, v, base->dimension), norms;

	if (b->o->index.metric == VECTOR_L2)
		return -(double)k->l2_f32(query, v, base->dimension);
	if (b->o->index.metric == VECTOR_INNER_PRODUCT)
		return dot;
	norms = (double)k->dot_f32(v, v, base->dimension) *
		(double)k->dot_f32(query, query, base->dimension);
	return norms > 0 ? dot / sqrt(norms) : 0;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

/* The k-th best true score among those that the filter allows; -HUGE_VAL: there are fewer. */
static int true_limit(struct bench *b, size_t query, const struct roaring_bitmap_s *filter,
		      double *ret, struct err *err)
{
	const float *v = vector_set_at(b->o->queries, query);
	struct vector_query q = {
	    .vector = v, .k = b->o->k * TRUTH_FACTOR, .filter = filter, .exact = true};
	double scores[VECTOR_K_MAX];
	size_t n;
	int r = vector_search(b->reader, &q, b->hits, &n, NULL, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		scores[i] = score_of(b, v, b->hits[i].id);
	qsort(scores, n, sizeof(*scores), descending);
	*ret = n < b->o->k ? -HUGE_VAL : scores[b->o->k - 1];
	return 0;
}

static int find_truth(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	int64_t started = clock_monotonic_us();

	for (size_t i = 0; i < b->o->queries->n; i++) {
		int r = true_limit(b, i, NULL, &b->limits[i], err);

		if (r < 0)
			return r;
	}
	ret->exact_qps = (double)b->o->queries->n * 1e6 / (double)(clock_monotonic_us() - started);
	return 0;
}

static size_t count_found(const struct bench *b, size_t query, double limit, size_t n)
{
	const float *v = vector_set_at(b->o->queries, query);
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += score_of(b, v, b->hits[i].id) >= limit - EQUAL;
	return found;
}

/* --- passes over the queries ----------------------------------------------------------------- */

static int recall_at(struct bench *b, unsigned ef, double *ret, struct err *err)
{
	size_t found = 0;

	for (size_t i = 0; i < b->o->queries->n; i++) {
		struct vector_query q = {
		    .vector = vector_set_at(b->o->queries, i), .k = b->o->k, .ef = ef};
		size_t n;
		int r = vector_search(b->reader, &q, b->hits, &n, NULL, err);

		if (r < 0)
			return r;
		found += count_found(b, i, b->limits[i], n);
	}
	*ret = (double)found / (double)(b->o->queries->n * b->o->k);
	return 0;
}

struct pass {
	struct bench *b;
	unsigned ef, number;
	pthread_t thread;
	int result;
	struct err err;
};

/* Each thread takes each n-th query, with a reader of its own. */
static void *run_pass(void *arg)
{
	struct pass *p = arg;
	const struct vector_bench_options *o = p->b->o;
	struct vector_hit *hits = mem_alloc_array(o->k, sizeof(*hits));
	struct vector_reader *reader = NULL;

	p->result = vector_reader_new(p->b->index, &reader, &p->err);
	for (size_t i = p->number; i < o->queries->n && p->result == 0; i += o->threads) {
		struct vector_query q = {
		    .vector = vector_set_at(o->queries, i), .k = o->k, .ef = p->ef};
		struct timespec from, to;
		size_t n;

		(void)clock_gettime(CLOCK_MONOTONIC, &from);
		p->result = vector_search(reader, &q, hits, &n, NULL, &p->err);
		(void)clock_gettime(CLOCK_MONOTONIC, &to);
		p->b->times[i] = (float)((double)(to.tv_sec - from.tv_sec) * 1e6 +
					 (double)(to.tv_nsec - from.tv_nsec) / 1e3);
	}
	(void)vector_reader_free(reader);
	mem_free(hits);
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static int time_pass(struct bench *b, struct vector_bench_point *point, struct err *err)
{
	unsigned threads = b->o->threads, started = 0;
	struct pass *passes = mem_alloc_array(threads, sizeof(*passes));
	int64_t from = clock_monotonic_us();
	size_t n = b->o->queries->n;
	int r = 0;

	for (; started < threads && r == 0; started++) {
		passes[started] = (struct pass){.b = b, .ef = point->ef, .number = started};
		if (pthread_create(&passes[started].thread, NULL, run_pass, &passes[started]) !=
		    0) {
			r = err_set(err, ERR_NO_MEMORY, "could not start a thread");
			break;
		}
	}
	for (unsigned i = 0; i < started; i++) {
		(void)pthread_join(passes[i].thread, NULL);
		if (r == 0 && passes[i].result < 0) {
			r = passes[i].result;
			*err = passes[i].err;
		}
	}
	point->qps = (double)n * 1e6 / (double)(clock_monotonic_us() - from);
	qsort(b->times, n, sizeof(*b->times), ascending);
	point->p50_us = (double)b->times[n / 2];
	point->p99_us = (double)b->times[n - 1 - n / 100];
	mem_free(passes);
	return r;
}

static int by_qps(const void *a, const void *b)
{
	const struct vector_bench_point *x = a, *y = b;

	return (x->qps > y->qps) - (x->qps < y->qps);
}

/* The median of some passes; looking for the recall has warmed the caches up. */
static int measure(struct bench *b, struct vector_bench_point *point, size_t n_passes,
		   struct err *err)
{
	struct vector_bench_point passes[PASSES];
	int r = recall_at(b, point->ef, &point->recall, err);

	for (size_t i = 0; i < n_passes && r == 0; i++) {
		passes[i] = *point;
		r = time_pass(b, &passes[i], err);
	}
	if (r < 0)
		return r;
	qsort(passes, n_passes, sizeof(*passes), by_qps);
	*point = passes[n_passes / 2];
	return 0;
}

/* --- the curve and the targets --------------------------------------------------------------- */

/* From k up, in steps of about 15 %, until the highest target is passed. */
static int find_curve(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	double highest = b->o->n_targets ? b->o->targets[b->o->n_targets - 1] : 0;
	double ef = (double)b->o->k;

	while (ret->n_curve < VECTOR_BENCH_CURVE_MAX && ef <= VECTOR_EF_MAX &&
	       ef < 2 * (double)ret->n) {
		struct vector_bench_point *p = &ret->curve[ret->n_curve];
		int r;

		*p = (struct vector_bench_point){.ef = (unsigned)ef};
		r = measure(b, p, 1, err);
		if (r < 0)
			return r;
		ret->n_curve++;
		if (p->recall > highest + (1 - highest) / 2)
			break;
		ef = ceil(ef * EF_STEP);
	}
	return 0;
}

/* The least ef that reaches the target, between two points of the curve. */
static int find_target(struct bench *b, const struct vector_bench_result *curve,
		       struct vector_bench_point *target, struct err *err)
{
	unsigned low = (unsigned)b->o->k - 1, high = 0;
	int r = 0;

	for (size_t i = 0; i < curve->n_curve && !high; i++) {
		if (curve->curve[i].recall >= target->target)
			high = curve->curve[i].ef;
		else
			low = curve->curve[i].ef;
	}
	if (!high) {
		*target = (struct vector_bench_point){.target = target->target};
		return 0;
	}
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		double recall;

		r = recall_at(b, middle, &recall, err);
		if (r < 0)
			return r;
		if (recall >= target->target)
			high = middle;
		else
			low = middle;
	}
	target->ef = high;
	return measure(b, target, PASSES, err);
}

static int find_targets(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	int r = find_curve(b, ret, err);

	for (size_t i = 0; i < b->o->n_targets && r == 0; i++) {
		ret->targets[i] = (struct vector_bench_point){.target = b->o->targets[i]};
		r = find_target(b, ret, &ret->targets[i], err);
		ret->n_targets++;
	}
	return r;
}

/* --- filters --------------------------------------------------------------------------------- */

static roaring_bitmap_t *random_filter(const struct bench *b, size_t allowed)
{
	roaring_bitmap_t *bitmap = roaring_bitmap_create();
	uint64_t random = 1;

	while (roaring_bitmap_get_cardinality(bitmap) < allowed) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's */
		roaring_bitmap_add(bitmap, (uint32_t)((random >> 33) % b->o->base->n));
	}
	return bitmap;
}

struct scored {
	double score;
	uint32_t id;
};

static int by_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;

	return (x->score < y->score) - (x->score > y->score);
}

/* The nearest of a query, or the farthest. */
static roaring_bitmap_t *query_filter(const struct bench *b, size_t query, bool is_far,
				      size_t allowed)
{
	size_t n = b->o->base->n;
	struct scored *all = mem_alloc_array(n, sizeof(*all));
	roaring_bitmap_t *bitmap = roaring_bitmap_create();

	for (size_t i = 0; i < n; i++)
		all[i] = (struct scored){score_of(b, vector_set_at(b->o->queries, query), i),
					 (uint32_t)i};
	qsort(all, n, sizeof(*all), by_score);
	for (size_t i = 0; i < allowed; i++)
		roaring_bitmap_add(bitmap, all[is_far ? n - 1 - i : i].id);
	mem_free(all);
	return bitmap;
}

/* `qps` holds seconds, and `recall` how many were found, until all were asked. */
static int filter_one(struct bench *b, size_t query, const roaring_bitmap_t *bitmap,
		      struct vector_bench_filter *f, struct err *err)
{
	struct vector_query q = {
	    .vector = vector_set_at(b->o->queries, query), .k = b->o->k, .filter = bitmap};
	struct timespec from, to;
	double limit = 0;
	size_t n = 0;
	int r = true_limit(b, query, bitmap, &limit, err);

	if (r < 0)
		return r;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	r = vector_search(b->reader, &q, b->hits, &n, NULL, err);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	if (r < 0)
		return r;
	f->qps += (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	f->recall += (double)count_found(b, query, limit, n);
	f->n_short += n < b->o->k && n < roaring_bitmap_get_cardinality(bitmap);
	f->queries++;
	return 0;
}

static int measure_filter(struct bench *b, struct vector_bench_filter *f, struct err *err)
{
	size_t allowed = (size_t)lround(f->share * (double)b->o->base->n);
	bool is_shared = f->kind == VECTOR_FILTER_RANDOM;
	size_t queries = b->o->queries->n;
	roaring_bitmap_t *bitmap = NULL;
	int r = 0;

	allowed = allowed > b->o->k ? allowed : b->o->k;
	allowed = allowed < b->o->base->n ? allowed : b->o->base->n;
	if (!is_shared && queries > FILTER_QUERIES)
		queries = FILTER_QUERIES;
	for (size_t i = 0; i < queries && r == 0; i++) {
		if (!bitmap)
			bitmap = is_shared
				     ? random_filter(b, allowed)
				     : query_filter(b, i, f->kind == VECTOR_FILTER_FAR, allowed);
		r = filter_one(b, i, bitmap, f, err);
		if (!is_shared) {
			roaring_bitmap_free(bitmap);
			bitmap = NULL;
		}
	}
	if (bitmap)
		roaring_bitmap_free(bitmap);
	f->qps = (double)f->queries / f->qps;
	f->recall /= (double)(f->queries * b->o->k);
	return r;
}

static int measure_filters(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < b->o->n_filters && r == 0; i++) {
		ret->filters[i] = b->o->filters[i];
		r = measure_filter(b, &ret->filters[i], err);
		ret->n_filters++;
	}
	return r;
}

/* --- churn ----------------------------------------------------------------------------------- */

static int churn_round(struct bench *b, uint64_t *random, struct err *err)
{
	size_t n = b->o->base->n, gone = 0;
	int r = 0;

	memset(b->is_gone, 0, n);
	while (gone < n / CHURN_SHARE && r == 0) {
		size_t i;

		*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
		i = (size_t)(*random >> 33) % n;
		if (b->is_gone[i])
			continue;
		b->is_gone[i] = 1;
		gone++;
		r = vector_delete(b->index, (uint32_t)i, err);
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		if (b->is_gone[i])
			r = vector_put(b->index, (uint32_t)i, vector_set_at(b->o->base, i), err);
	}
	return r;
}

/* At the ef of the first target, where a loss shows. */
static int measure_churn(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	uint64_t random = 1;
	int r;

	ret->churn_ef =
	    ret->n_targets && ret->targets[0].ef ? ret->targets[0].ef : 2 * (unsigned)b->o->k;
	b->is_gone = mem_alloc_array(b->o->base->n, 1);
	r = recall_at(b, ret->churn_ef, &ret->churn[ret->n_churn++], err);
	while (r == 0 && ret->n_churn <= b->o->churn_rounds) {
		r = churn_round(b, &random, err);
		if (r == 0)
			r = recall_at(b, ret->churn_ef, &ret->churn[ret->n_churn++], err);
	}
	return r;
}

/* --- building -------------------------------------------------------------------------------- */

/* Anonymous memory of this process, as the system counts it. */
static uint64_t anonymous_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long kilobytes = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %llu", &kilobytes) == 1)
			break;
	}
	if (f)
		(void)fclose(f);
	return kilobytes * 1024;
}

static double seconds_since(int64_t from)
{
	return (double)(clock_monotonic_us() - from) / 1e6;
}

static int put_all(struct bench *b, struct err *err)
{
	const struct vector_set *base = b->o->base;

	for (size_t i = 0; i < base->n; i++) {
		int r = vector_put(b->index, (uint32_t)i, vector_set_at(base, i), err);

		if (r < 0)
			return err_context(err, "vector %zu", i);
		if (b->o->on_progress && i % 256 == 0)
			b->o->on_progress(b->o->arg, i);
	}
	if (b->o->on_progress)
		b->o->on_progress(b->o->arg, base->n);
	return 0;
}

static int build(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	struct vector_options options = b->o->index;
	uint64_t before = anonymous_bytes();
	int64_t started = clock_monotonic_us();
	struct vector_stats stats;
	int r;

	options.dimension = b->o->base->dimension;
	options.no_log = true;
	r = vector_open(b->o->dir, &options, &b->index, err);
	if (r == 0)
		r = put_all(b, err);
	if (r < 0)
		return r;
	ret->build_seconds = seconds_since(started);
	started = clock_monotonic_us();
	r = vector_checkpoint(b->index, err);
	if (r < 0)
		return r;
	ret->checkpoint_seconds = seconds_since(started);
	vector_stats(b->index, &stats);
	ret->bytes_per_vector = (double)(anonymous_bytes() - before) / (double)ret->n;
	ret->counted_bytes_per_vector = (double)stats.memory_bytes / (double)ret->n;
	ret->mapped_bytes_per_vector = (double)stats.mapped_bytes / (double)ret->n;
	return 0;
}

/* Closed and opened again: what a restart takes, with the files in the system's memory. */
static int restart(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	struct vector_options none = {0};
	int64_t started;
	int r = vector_close(b->index, err);

	b->index = NULL;
	started = clock_monotonic_us();
	if (r == 0)
		r = vector_open(b->o->dir, &none, &b->index, err);
	if (r == 0)
		r = vector_reader_new(b->index, &b->reader, err);
	ret->restart_seconds = seconds_since(started);
	return r;
}

static int check_sets(const struct vector_bench_options *o, struct err *err)
{
	if (o->base->dimension != o->queries->dimension)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the vectors have %u values, and the queries %u", o->base->dimension,
			       o->queries->dimension);
	if (o->base->n == 0 || o->queries->n == 0 || o->base->n >= VECTOR_ID_NONE)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "there are %zu vectors and %zu queries; some of both are needed",
			       o->base->n, o->queries->n);
	if (o->k * TRUTH_FACTOR > VECTOR_K_MAX || o->k > o->base->n)
		return err_set(err, ERR_INVALID_ARGUMENT, "k is %zu; possible is up to %zu", o->k,
			       o->base->n < VECTOR_K_MAX / TRUTH_FACTOR
				   ? o->base->n
				   : VECTOR_K_MAX / TRUTH_FACTOR);
	return 0;
}

static int run(struct bench *b, struct vector_bench_result *ret, struct err *err)
{
	int r = build(b, ret, err);

	if (r == 0)
		r = restart(b, ret, err);
	if (r == 0)
		r = find_truth(b, ret, err);
	if (r == 0)
		r = find_targets(b, ret, err);
	if (r == 0)
		r = measure_filters(b, ret, err);
	if (r == 0 && b->o->churn_rounds)
		r = measure_churn(b, ret, err);
	return r;
}

int vector_bench(const struct vector_bench_options *options, struct vector_bench_result *ret,
		 struct err *err)
{
	struct bench b = {.o = options, .kernels = vector_kernels_best()};
	struct err ignored = {0};
	int r = check_sets(options, err);

	if (r < 0)
		return r;
	*ret = (struct vector_bench_result){.n = options->base->n,
					    .dimension = options->base->dimension};
	b.limits = mem_alloc_array(options->queries->n, sizeof(*b.limits));
	b.times = mem_alloc_array(options->queries->n, sizeof(*b.times));
	b.hits = mem_alloc_array(options->k * TRUTH_FACTOR, sizeof(*b.hits));
	r = run(&b, ret, err);
	(void)vector_reader_free(b.reader);
	(void)(vector_close(b.index, &ignored) < 0); /* its folder goes anyway */
	mem_free(b.limits);
	mem_free(b.times);
	mem_free(b.hits);
	mem_free(b.is_gone);
	return r;
}
