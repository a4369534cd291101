/*
 * Vector engine: finds the nearest of many vectors, while vectors come, change and go.
 *
 * Two kinds of index. VECTOR_EXACT scans and is always right. VECTOR_GRAPH is a multi-layer
 * navigable graph (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search
 * using Hierarchical Navigable Small World graphs") whose neighbor lists are pruned with alpha and
 * repaired after deletion as in Vamana (Subramanya et al., "DiskANN"; Singh et al.,
 * "FreshDiskANN"). Both keep each vector twice: as int8 with a scale of its own, in memory, to find
 * candidates, and as f16 or f32, in a mapped file, to put them in their true order.
 *
 * An id is a number of the caller's, below VECTOR_ID_NONE. Memory grows by 4 KB for each block of
 * 1,024 ids in which one is used: number things densely.
 *
 * Threads: any number of readers, each with a struct vector_reader of its own, search without locks
 * while one thread at a time writes (put, delete, sync, checkpoint, compact). A write is seen by
 * searches that begin after it returned.
 *
 * Durability: an index with a folder writes puts and deletes to a log. What vector_sync() has
 * confirmed survives a crash of the process or the machine at any point. vector_checkpoint() writes
 * the whole state beside the old one and swaps; it also runs by itself when the log has grown, and
 * at vector_close(). One process at a time opens a folder. File format: docs/formats/vector.md.
 *
 * Memory: vector_stats() tells what a vector costs; with memory_max_bytes set, a put that would go
 * over it is refused with ERR_LIMIT and nothing else happens.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define VECTOR_DIMENSION_MAX 4096
#define VECTOR_ID_NONE	     UINT32_MAX
#define VECTOR_MODEL_MAX     128 /* bytes, with the NUL */
#define VECTOR_K_MAX	     10000
#define VECTOR_EF_MAX	     100000
#define VECTOR_READERS_MAX   256

enum vector_kind { VECTOR_GRAPH, VECTOR_EXACT };
/* Scores, larger is nearer: the cosine; the inner product; minus the squared L2 distance. */
enum vector_metric { VECTOR_COSINE, VECTOR_INNER_PRODUCT, VECTOR_L2 };
/* Of the copy that decides the order. With halves two scores may come out the other way round when
 * they differ by less than 1e-3 of their size. */
enum vector_precision { VECTOR_F32, VECTOR_F16 };

struct vector_options { /* zero is the default of each but dimension */
	unsigned dimension;
	enum vector_kind kind;
	enum vector_metric metric;
	enum vector_precision precision;
	/* Names the space of the vectors; an index opened with another name is refused. NULL: "".
	 */
	const char *model;
	unsigned m;		  /* neighbors a node on the upper layers, twice that below; 16 */
	unsigned ef_construction; /* candidates looked at for a new node; 160 */
	float alpha;		  /* how much longer a detour may be than an edge; 1.2 */
	size_t memory_max_bytes;  /* 0: none */
	uint64_t log_max_bytes;	  /* size of the log that causes a checkpoint; 32 MB */
	bool no_log;		  /* durable at checkpoints only: for building in one go */
};

struct vector_index;

/*
 * Opens the index in the folder `dir`, or makes it there; NULL: in memory only. For an index that
 * exists, kind, metric, precision, dimension and m come from its files; options that say otherwise
 * (other than zero) are refused with ERR_INVALID_ARGUMENT, as is another model. ERR_CORRUPTED names
 * the damaged file; ERR_CONFLICT: another process has it open. What the log holds beyond the
 * checkpoint is applied before it returns.
 */
int vector_open(const char *dir, const struct vector_options *options, struct vector_index **ret,
		struct err *err) _must_check_;
/* Checkpoints when something changed since the last; all readers are freed before. The index is
 * gone also when it fails (what vector_sync() confirmed is safe in the log). NULL is fine. */
int vector_close(struct vector_index *ix, struct err *err) _must_check_;

/* --- writing: one thread at a time ----------------------------------------------------------- */

/*
 * Adds the vector, or replaces that of the id. With VECTOR_COSINE it is scaled to unit length; a
 * vector of zeros, or one with a value that is no finite number, is refused with
 * ERR_INVALID_ARGUMENT.
 */
int vector_put(struct vector_index *ix, uint32_t id, const float *vector, struct err *err)
    _must_check_;
/* ERR_NOT_FOUND: there is none. Searches that begin later do not find it. */
int vector_delete(struct vector_index *ix, uint32_t id, struct err *err) _must_check_;
/* All writes before this are durable when it returns 0: one flush for all of them. */
int vector_sync(struct vector_index *ix, struct err *err) _must_check_;
int vector_checkpoint(struct vector_index *ix, struct err *err) _must_check_;
/*
 * Repairs the graph around what was deleted, and overwrites the deleted vectors in every file and
 * in memory. Repairing happens by itself too, when a sixteenth of the vectors has been deleted:
 * that one put or delete then takes long (seconds for a hundred thousand vectors), while searches
 * go on. Call this when a vector must be gone now.
 */
int vector_compact(struct vector_index *ix, struct err *err) _must_check_;

/* --- reading --------------------------------------------------------------------------------- */

struct vector_reader; /* one thread at a time */
/* ERR_LIMIT: there are VECTOR_READERS_MAX. */
int vector_reader_new(struct vector_index *ix, struct vector_reader **ret, struct err *err)
    _must_check_;
struct vector_reader *vector_reader_free(struct vector_reader *r);
DEFINE_CLEANUP(struct vector_reader *, vector_reader_free)

struct roaring_bitmap_s; /* of libroaring */

struct vector_query {
	const float *vector; /* as long as the index's dimension */
	size_t k;
	unsigned ef; /* candidates kept while walking: more is slower and righter; 0: by k */
	/* Only these ids; NULL: all. Borrowed for the call; others may read it meanwhile. */
	const struct roaring_bitmap_s *filter;
	bool exact; /* scan, also where a walk would be quicker */
};

struct vector_hit {
	uint32_t id;
	float score;
};

enum vector_plan { VECTOR_PLAN_SCAN, VECTOR_PLAN_WALK, VECTOR_PLAN_WALK_THEN_SCAN };

struct vector_trace { /* what a search did; for tuning and tests */
	enum vector_plan plan;
	uint64_t distances, expansions, rescored;
};

/*
 * The nearest, best first; equal scores by id. `ret` has room for k. Never fewer than min(k, how
 * many match): when a walk through the graph does not find them, the matches are scanned.
 * `trace` may be NULL.
 */
int vector_search(struct vector_reader *r, const struct vector_query *q, struct vector_hit *ret,
		  size_t *ret_n, struct vector_trace *trace, struct err *err) _must_check_;

bool vector_has(struct vector_reader *r, uint32_t id);
/* The vector as stored (f16 or f32), `dimension` floats. ERR_NOT_FOUND. */
int vector_get(struct vector_reader *r, uint32_t id, float *ret, struct err *err) _must_check_;

/* --- about it -------------------------------------------------------------------------------- */

struct vector_stats {
	enum vector_kind kind;
	enum vector_metric metric;
	enum vector_precision precision;
	unsigned dimension, m, ef_construction;
	float alpha;
	const char *model; /* lives as long as the index */
	uint64_t vectors;  /* that can be found */
	uint64_t deleted;  /* whose slots are not free yet */
	unsigned layers;
	uint64_t memory_bytes;	      /* anonymous memory: codes, edges, ids */
	uint64_t mapped_bytes;	      /* of the file that decides the order */
	uint64_t log_bytes;	      /* not in a checkpoint */
	uint64_t replayed;	      /* records of the log that were applied at opening */
	uint64_t dropped_bytes;	      /* of a torn end that was cut off the log at opening */
	uint64_t checkpoint_failures; /* of those by themselves: the log grows until one succeeds */
	const char *checkpoint_error; /* why; NULL: one succeeded since. Until the next write */
	const char *kernels;	      /* "avx512-vnni", "avx2", "scalar" */
};
/* Cheap. The writer's thread, for it reads what only that one changes. */
void vector_stats(const struct vector_index *ix, struct vector_stats *ret);
/* Of the lowest layer: looks at every list. The writer's thread. */
uint64_t vector_count_edges(const struct vector_index *ix);

/*
 * Reads everything that opening does not: whether each stored vector is the one that was written,
 * has its code and its id, and can be reached through the graph. Each finding is one call; returns
 * how many. A write: the writer's thread.
 */
typedef void (*vector_problem_fn)(void *arg, const char *problem);
uint64_t vector_check(struct vector_index *ix, vector_problem_fn fn, void *arg);
