/*
 * Many clients that order few hot products at once, and the proof afterwards: what there was is
 * what was sold and what is left, no stock is negative, each key has one order, each total is that
 * of its lines, each stock the sum of its movements.
 *
 * Products, customers and orders of the run are its own, made at its begin and deleted at its end,
 * also when it is stopped or cannot go on. When that fails, or the process is killed, they stay: a
 * hint says so, and shop_order_stress_clean() deletes them.
 * Each client is a thread with a connection; one that loses it comes back and asks with the same
 * key again, also after the end of the run, so that nothing stays unanswered.
 */
#pragma once

#include "store/maria.h"

#include <signal.h>

struct shop_stress_options {
	struct maria_options maria;
	unsigned clients, seconds;
	unsigned stock;	   /* pieces of each product */
	unsigned products; /* 0: 20 */
	bool keep;	   /* what was made stays */
	/* A signal handler sets it: the run ends early; NULL: never. */
	const volatile sig_atomic_t *is_stopped;
	/* Some times a second, from the calling thread; NULL: none. */
	void (*progress)(void *arg, uint64_t orders);
	void *arg;
};

struct shop_stress_result {
	uint64_t initial, sold, left; /* pieces of all products */
	uint64_t orders, refused;     /* answered so */
	uint64_t retries;	      /* attempts beyond the first */
	uint64_t failed;	      /* without an answer when all was over */
	uint64_t wrong;		      /* what the proof found: products, orders and keys */
	double seconds;		      /* until the last order */
	int64_t p50_us, p99_us;	      /* of orders, retries included */
	struct err failure;	      /* the first of `failed` */
};

/* 0: it ran, and the proof holds. ERR_DIFFERENT: it does not; the result says by how much.
 * ERR_INTERRUPTED: it holds for what was done until it was stopped. */
int shop_order_stress(const struct shop_stress_options *options, struct shop_stress_result *ret,
		      struct err *err) _must_check_;

/* Deletes what runs left that were killed. None may run now. */
int shop_order_stress_clean(const struct maria_options *maria, struct err *err) _must_check_;
