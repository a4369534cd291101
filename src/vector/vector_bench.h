/*
 * Measures an index on somebody's own vectors: how fast at which recall, how large, how long to
 * build and to open; under filters; under churn. Recall is against the exact answer on the vectors
 * as they are in the file (f32).
 */
#pragma once

#include "vector/vector.h"
#include "vector/vector_set.h"

#define VECTOR_BENCH_TARGETS_MAX 16
#define VECTOR_BENCH_CURVE_MAX	 64
#define VECTOR_BENCH_FILTERS_MAX 16
#define VECTOR_BENCH_ROUNDS_MAX	 100

/* What a filter leaves: anything, or of each query the nearest or the farthest. */
enum vector_filter_kind { VECTOR_FILTER_RANDOM, VECTOR_FILTER_NEAR, VECTOR_FILTER_FAR };

struct vector_bench_filter {
	double share; /* above 0, up to 1 */
	enum vector_filter_kind kind;
	double recall, qps;
	size_t queries, n_short; /* answers with fewer than there could be */
};

struct vector_bench_options {
	const struct vector_set *base, *queries;
	struct vector_options index; /* the dimension is the set's */
	const char *dir;	     /* an empty folder for the index's files */
	size_t k;
	unsigned threads; /* for searching */
	size_t n_targets;
	double targets[VECTOR_BENCH_TARGETS_MAX]; /* of recall, rising */
	size_t n_filters;
	struct vector_bench_filter filters[VECTOR_BENCH_FILTERS_MAX]; /* share and kind */
	unsigned churn_rounds; /* of deleting and putting back a fifth */
	/* Told how far building is; may be NULL. */
	void (*on_progress)(void *arg, uint64_t done);
	void *arg;
};

struct vector_bench_point {
	double target; /* of a target: what was asked for; recall below it: not reached */
	double recall;
	unsigned ef;
	double qps, p50_us, p99_us;
};

struct vector_bench_result {
	size_t n;
	unsigned dimension;
	double build_seconds, checkpoint_seconds, restart_seconds;
	double bytes_per_vector; /* anonymous memory that building took, as the system says */
	double counted_bytes_per_vector; /* as the index counts it, against memory_max_bytes */
	double mapped_bytes_per_vector;
	double exact_qps; /* scanning all */
	size_t n_targets, n_curve;
	struct vector_bench_point targets[VECTOR_BENCH_TARGETS_MAX];
	struct vector_bench_point curve[VECTOR_BENCH_CURVE_MAX];
	size_t n_filters;
	struct vector_bench_filter filters[VECTOR_BENCH_FILTERS_MAX];
	/* Of churn: recall at one ef, before and after each round. */
	unsigned churn_ef;
	size_t n_churn;
	double churn[VECTOR_BENCH_ROUNDS_MAX + 1];
};

int vector_bench(const struct vector_bench_options *options, struct vector_bench_result *ret,
		 struct err *err) _must_check_;
