/*
 * Proof that MongoDB holds what MariaDB says: every row's document is built again and compared with
 * what is there, field by field, type by type; every document is looked up among the rows. Nothing
 * of the applier's bookkeeping is believed.
 *
 * A difference that is only a change in flight is told apart: what differs is looked at again after
 * everything that was queued has been acknowledged, and counts when the row is as it was and the
 * document still differs.
 */
#pragma once

#include "sync/sync.h"

enum sync_difference_kind { SYNC_MISSING, SYNC_EXTRA, SYNC_DIFFERENT };

struct sync_difference {
	enum sync_difference_kind kind;
	struct str key;
	const char *paths; /* DIFFERENT: "price, reviews.0.text", at most a few */
};

struct sync_verify_result {
	const char *collection;
	uint64_t rows, documents;
	uint64_t missing, extra, different;
	uint64_t pending; /* differ, but whether for good could not be told in time */
	uint64_t refused; /* rows that cannot become documents: they are dead letters */
	uint64_t foreign; /* documents without the sync's mark; never touched */
	uint64_t repaired;
	size_t n_differences; /* the first SYNC_VERIFY_LISTED of them */
	struct sync_difference *differences;
	struct arena arena;
};
#define SYNC_VERIFY_LISTED 100

struct sync_verify_options {
	bool repair;	 /* queue what differs, wait, look again */
	int64_t wait_ms; /* how long to wait for changes in flight; 0: 30 s */
	void (*on_progress)(void *arg, uint64_t done, uint64_t total);
	void *on_progress_arg;
};

int sync_verify(struct maria *db, struct mongo *mongo, const struct mapping *mapping,
		const struct sync_verify_options *options, struct sync_verify_result *ret,
		struct err *err) _must_check_;
bool sync_verify_is_equal(const struct sync_verify_result *r);
void sync_verify_result_done(struct sync_verify_result *r);
