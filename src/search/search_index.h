/*
 * One generation of the search index: the vectors of all collections by one model, in one folder.
 *
 *	<dir>/state.db       which document has which number, what its vector was made of,
 *	                     how far a scan is, what is set aside (SQLite)
 *	<dir>/<collection>/  a vector index (vector/vector.h)
 *
 * Everything in it can be made again from the documents; the cache of embeddings makes that cheap.
 * So what is found damaged is thrown away and marked for a scan, and never stops anything.
 *
 * Crash-safe: a document's number is durable before its vector is, and what its vector was made of
 * is forgotten before it changes and recorded only afterwards. A process that dies in between
 * leaves a document that looks as if it had to be done again, which the hand-off or the scan does.
 *
 * Threads: one writer, which also owns scans. Any thread may call search_index_figures(), and what
 * asks: search_index_query(), _has(), _nearest(), _vector() and _cosines(); they take turns.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_COLLECTIONS_MAX 64
#define SEARCH_K_MAX	       1000

struct search_index;

struct search_numbering { /* of documents, by search_corpus.h */
	uint64_t space;	  /* what numbers mean */
	uint32_t known;	  /* all that were given before the corpus was opened are below */
};

struct search_index_options {
	const char *dir;   /* made when missing */
	const char *model; /* as embedder_info() names it */
	unsigned dimension;
	size_t memory_max; /* of a collection's vectors; 0: no bound */
};

/* What a generation that is there holds. ERR_NOT_FOUND: there is none; ERR_CORRUPTED: its state
 * cannot be read. The model's name goes to the arena. */
int search_index_peek(const char *dir, struct arena *arena, const char **ret_model,
		      unsigned *ret_dimension, struct err *err) _must_check_;
/* ERR_CONFLICT: it holds another model. ERR_CORRUPTED: its state is damaged; nothing but removing
 * the folder helps. */
int search_index_open(const struct search_index_options *options, struct search_index **ret,
		      struct err *err) _must_check_;
/* No other thread uses it any more. NULL is fine. */
struct search_index *search_index_free(struct search_index *ix);
DEFINE_CLEANUP(struct search_index *, search_index_free)

/* --- collections ----------------------------------------------------------------------------- */

/*
 * Opens a collection, or makes it, to be scanned. With numbers that mean something else than those
 * that its vectors have, or that do not reach as far, vectors are of no use any more.
 * `ret_repaired` (may be NULL): why they were thrown away, as a message; untouched when they were
 * not. The number is good for the calls below.
 */
int search_index_collection(struct search_index *ix, const char *name,
			    const struct search_numbering *numbering, size_t *ret,
			    struct err *ret_repaired, struct err *err) _must_check_;
uint64_t search_index_space(const struct search_index *ix, size_t collection);
struct search_dropping {
	int (*run)(void *arg, const char *collection, struct err *err);
	void *arg;
};
/* Removes the collections that are not in `keep` (NULL-terminated), each after `dropping` (may be
 * NULL) has done its part; what fails is done again by the next call. Their numbers are good for
 * nothing until search_index_collection() opens them again. */
int search_index_keep(struct search_index *ix, const char *const *keep,
		      const struct search_dropping *dropping, struct err *err) _must_check_;

/* --- documents ------------------------------------------------------------------------------- */

enum search_action {
	SEARCH_PUT,   /* this vector */
	SEARCH_TOUCH, /* is as it was: seen by the scan */
	SEARCH_REMOVE,
	SEARCH_ASIDE, /* cannot be indexed now: keeps what it had */
	SEARCH_LEAVE, /* is not to be indexed: loses what it had */
};

struct search_change {
	struct str key;
	enum search_action action;
	uint32_t number;     /* PUT: of the document, and so of its vector */
	uint64_t made_of;    /* PUT: hash of the text; not 0 */
	struct str title;    /* PUT */
	const float *vector; /* PUT */
	const char *kind;    /* ASIDE: "error"; LEAVE: "pii", "empty" */
	const char *reason;  /* ASIDE, LEAVE */
};
/*
 * Makes all of it durable. A vector that the index refuses (its memory is used up) turns its change
 * into ASIDE. No key twice.
 */
int search_index_apply(struct search_index *ix, size_t collection, struct search_change *changes,
		       size_t n, struct err *err) _must_check_;

struct search_known {
	uint64_t made_of; /* 0: no vector */
	bool is_seen;	  /* by the scan that runs */
	bool is_there;	  /* in the index or set aside */
};
int search_index_known(struct search_index *ix, size_t collection, struct str key,
		       struct search_known *ret, struct err *err) _must_check_;

/* From any thread, by the collection's name; `ret_is_aside`: it is set aside or left out.
 * ERR_NOT_FOUND: no such collection. */
int search_index_look(struct search_index *ix, const char *collection, struct str key,
		      struct search_known *ret, bool *ret_is_aside, struct err *err) _must_check_;

struct search_keys { /* of some documents; bytes in the arena */
	struct arena *arena;
	size_t limit; /* as many at most */
	size_t n;
	struct str *items; /* of the caller's, with room for `limit` */
};
/* Documents that were set aside by an error and are due again (wall clock). */
int search_index_due(struct search_index *ix, size_t collection, int64_t now_us,
		     struct search_keys *ret, struct err *err) _must_check_;
/* Why documents are set aside or left out: the most frequent first. */
typedef void (*search_reason_fn)(void *arg, const char *kind, const char *reason, int64_t n);
int search_index_reasons(struct search_index *ix, size_t collection, size_t limit,
			 search_reason_fn fn, void *arg, struct err *err) _must_check_;

/*
 * Overwrites, in files and in memory, what documents had that were deleted, left out or changed
 * since the last time; does nothing when none were. A collection of a million takes some seconds of
 * it.
 */
int search_index_compact(struct search_index *ix, struct err *err) _must_check_;

/* --- scans: all documents of a collection ---------------------------------------------------- */

enum search_phase { SEARCH_PHASE_LIVE, SEARCH_PHASE_PAGES, SEARCH_PHASE_SWEEP };

struct search_scan {
	enum search_phase phase;
	bool is_forced;	   /* puts also what is as it was */
	struct str cursor; /* lives until the scan moves */
	int64_t done;
};
void search_index_scan(struct search_index *ix, size_t collection, struct search_scan *ret);
/* From the start, durable when it returns: of all collections, those that are not open too. */
int search_index_scan_all(struct search_index *ix, struct err *err) _must_check_;
/* Of one, which puts what is as it was, too. */
int search_index_rebuild(struct search_index *ix, size_t collection, struct err *err) _must_check_;
/* `n` documents up to the key were done; an empty key: there are no more, the sweep begins. */
int search_index_scan_advance(struct search_index *ix, size_t collection, struct str key, size_t n,
			      struct err *err) _must_check_;
/* Of the sweep: documents that the scan did not see. */
int search_index_unseen(struct search_index *ix, size_t collection, struct search_keys *ret,
			struct err *err) _must_check_;
int search_index_scan_end(struct search_index *ix, size_t collection, struct err *err) _must_check_;

/* A number that the folder keeps; 0 when it was never set. */
int search_index_get(struct search_index *ix, const char *name, int64_t *ret, struct err *err)
    _must_check_;
int search_index_set(struct search_index *ix, const char *name, int64_t value, struct err *err)
    _must_check_;

/* --- reading --------------------------------------------------------------------------------- */

struct search_hit {
	struct str key;
	const char *title;
	float score;
};
struct search_question {
	const char *collection;
	const float *vector;
	size_t k; /* at most SEARCH_K_MAX */
};
/* The `k` nearest, best first; `ret` has room for them, texts go to the arena. ERR_NOT_FOUND: no
 * such collection. */
int search_index_query(struct search_index *ix, const struct search_question *q,
		       struct arena *arena, struct search_hit *ret, size_t *ret_n, struct err *err)
    _must_check_;

/* The same by their numbers, and without reading anything: `filter` (may be NULL) says which. */
struct vector_hit;
struct roaring_bitmap_s;
/* Whether the collection has vectors, by these numbers (search_corpus_space()). */
bool search_index_has(struct search_index *ix, const char *collection, uint64_t space);
struct search_nearest {
	const char *collection;
	const float *vector;
	size_t k;
	const struct roaring_bitmap_s *filter;
};
int search_index_nearest(struct search_index *ix, const struct search_nearest *q,
			 struct vector_hit *ret, size_t *ret_n, struct err *err) _must_check_;
/* Cosines of the documents to the vector; those without a vector have 0. */
int search_index_cosines(struct search_index *ix, const char *collection, const float *vector,
			 const uint32_t *numbers, size_t n, float *ret, struct err *err)
    _must_check_;
/* A document's vector. ERR_NOT_FOUND. */
int search_index_vector(struct search_index *ix, const char *collection, uint32_t number,
			float *ret, struct err *err) _must_check_;

struct search_figures {
	uint64_t vectors, memory_bytes, mapped_bytes, log_bytes;
	int64_t errors, pii, empty; /* set aside, left out */
	enum search_phase phase;
	int64_t done;
	char checkpoint_error[ERR_MESSAGE_MAX]; /* while the log only grows; "": it does not */
};
int search_index_figures(struct search_index *ix, size_t collection, struct search_figures *ret,
			 struct err *err) _must_check_;
