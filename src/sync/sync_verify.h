/*
 * Proof that a store holds what MariaDB says: every row's document is built again and compared with
 * what is there; every document that is there is looked up among the rows. Nothing of the
 * bookkeeping of whoever writes the store is believed.
 *
 * A difference that is only a change in flight is told apart: what differs is looked at again after
 * everything that was queued has been acknowledged, and counts when the row is as it was and the
 * document still differs.
 *
 * MongoDB is one such store (sync_verify); another one says how it is looked at
 * (sync_verify_store).
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
	uint64_t late;	  /* a part of them is still being made, as the store says; no difference */
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

/* --- stores ---------------------------------------------------------------------------------- */

/* What one key looks like on both sides. The store says have_hash, paths, comes_by, kind, differs
 * and is_late; they are zero before. */
struct sync_look {
	uint64_t row_hash;  /* 0: no row */
	uint64_t have_hash; /* of what is there; another one whenever it was written */
	char *paths;	    /* of what differs; owned by the look */
	uint32_t waiting; /* with SYNC_QUEUED, and a bit for each consumer: where something waits */
	uint32_t comes_by; /* consumers, as bits, through which what is missing would come */
	enum sync_difference_kind kind;
	bool has_row, is_refused, differs, is_late;
};
#define SYNC_QUEUED	      0x80000000U
#define SYNC_VERIFY_CONSUMERS 4

struct sync_walk;

struct sync_store {
	void *arg;
	/* Of the hand-off, through which changes come to it; the calls below may set them. */
	const char *consumers[SYNC_VERIFY_CONSUMERS];
	/* Compares documents as MariaDB has them now with what the store has. */
	int (*look)(void *arg, const struct mapping_document *rows, size_t n, struct sync_look *ret,
		    struct err *err);
	/* Names all that is there by sync_walk_add(). */
	int (*walk)(void *arg, struct sync_walk *walk, struct err *err);
	/* Whether it is being filled; what differs is then no difference for sure. May be NULL. */
	bool (*is_filling)(void *arg);
};

/* `key` lives for the call. */
int sync_walk_add(struct sync_walk *walk, struct str key, struct err *err) _must_check_;
/* Of documents that are there and have no key to be looked up. */
void sync_walk_count(struct sync_walk *walk, bool is_foreign);

int sync_verify_store(struct maria *db, const struct mapping *mapping,
		      const struct sync_store *store, const struct sync_verify_options *options,
		      struct sync_verify_result *ret, struct err *err) _must_check_;
void sync_verify_list(struct sync_verify_result *r, enum sync_difference_kind kind, struct str key,
		      const char *paths);
