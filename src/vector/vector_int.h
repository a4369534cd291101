/*
 * Insides of the vector engine, shared by its files.
 *
 * A vector lives in a slot. Slots stand in chunks of 2^14, which never move, so that a reader may
 * hold a pointer into one while the index grows. Per slot: the code (int8 + 128), its scale and
 * squared norm, the norm of what the code leaves out, the id (VECTOR_ID_NONE: free, or deleted and
 * still part of the graph), the edges of layer 0, and a reference to those of the upper layers; and
 * in the vectors file the vector as f16 or f32.
 *
 * Readers and the writer share without locks: edges, ids, the entry point, the map from ids to
 * slots and the number of slots are atomics; everything else of a slot is written before the first
 * of them leads to it, and rewritten only when no search that could hold it is running (epochs).
 */
#pragma once

#include "vector/vector.h"
#include "vector/vector_kernels.h"

#include <float.h>
#include <stdatomic.h>

/* --- where things are ------------------------------------------------------------------------ */

#define CHUNK_BITS   14
#define CHUNK_SLOTS  (1U << CHUNK_BITS)
#define CHUNKS_MAX   (1U << 16) /* 2^30 vectors */
#define EDGE_NONE    UINT32_MAX
#define EDGES_MAX    128 /* of layer 0: m is at most 64 */
#define LAYERS_MAX   16
#define UPPER_BITS   CHUNK_BITS /* so that pieces of both are as long in a checkpoint */
#define UPPER_BLOCKS (1U << UPPER_BITS)

struct slot_meta {
	float scale; /* value = scale * (code - 128) */
	float norm2; /* squared norm of the vector */
};

struct chunk {
	uint8_t *codes;
	struct slot_meta *meta;
	float *residual; /* norm of vector - scale * code: for the bounds of a scan */
	uint32_t *crc;	 /* CRC32C of the slot in the vectors file */
	_Atomic uint32_t *ids;
	_Atomic uint32_t *edges; /* 2 * m a slot, ended by EDGE_NONE when there are fewer */
	_Atomic uint32_t *upper; /* 0, or layers << 28 | first block */
	const uint8_t *vectors;	 /* mapped */
};

/* Edges of the upper layers: blocks of m edges, `layers` of them in a row for a slot. */
struct upper_pool {
	_Atomic uint32_t *chunks[1U << 14];
	uint32_t used; /* blocks handed out; block 0 is none */
	uint32_t
	    spare[LAYERS_MAX + 1]; /* first of a list of free runs, linked by their first edge */
};

/* From ids to slots: a radix tree of three levels whose nodes stay until the index is closed. */
#define IDS_LEAF 1024U
#define IDS_MID	 2048U
#define IDS_TOP	 2048U
struct id_leaf {
	_Atomic uint32_t slots[IDS_LEAF]; /* slot + 1; 0: none */
};
struct id_mid {
	_Atomic(struct id_leaf *) leaves[IDS_MID];
};

/* --- readers --------------------------------------------------------------------------------- */

/* A candidate of a walk: larger score is nearer. */
struct candidate {
	float score;
	uint32_t slot; /* CANDIDATE_EXPANDED: its edges have been followed */
};
#define CANDIDATE_EXPANDED 0x80000000U

struct candidates {
	struct candidate *items;
	size_t len, cap;
};

/* What one search needs; kept between searches of one thread. */
struct scratch {
	uint64_t *visited; /* a bit a slot */
	size_t visited_cap;
	uint32_t limit;		 /* slots from here on came after the walk began */
	struct candidates pool;	 /* best first */
	struct candidates queue; /* of a filtered walk: a heap */
	int8_t *query;		 /* padded */
	float *exact;		 /* the query, of unit length where the metric wants it */
	struct vector_hit *hits;
	size_t hits_cap;
	uint64_t distances, expansions, rescored;
};

struct vector_reader {
	struct vector_index *index;
	unsigned place; /* in index->epochs */
	struct scratch scratch;
};

/* How a query is compared with codes: score = factor * scale * dot - weight * norm2. */
struct code_query {
	const int8_t *values;
	int32_t bias;
	float factor, weight;
};

/* --- the index ------------------------------------------------------------------------------- */

struct retired { /* a slot that leaves the graph */
	uint32_t slot;
	uint64_t epoch; /* searches that began later cannot hold it */
};

struct retired_list {
	struct retired *items;
	size_t len, cap;
};

/* Replacements that a search can settle afterwards: with more of them during a single search one
 * vector may be missed. A put takes about as long as a short search. */
#define MOVES 1024U

/* Squared norms of vectors and queries: so that no score overflows. */
#define NORM2_MAX (FLT_MAX / 16)

/* Tests stop the world at named points of a write, and make flushes fail: of the "log", the
 * "vectors" or the "folder". */
struct vector_hook {
	void (*at)(void *arg, const char *point);
	bool (*fails)(void *arg, const char *flush);
	void *arg;
};

struct vector_index {
	/* Immutable after opening. */
	const struct vector_kernels *kernels;
	enum vector_kind kind;
	enum vector_metric metric;
	enum vector_precision precision;
	unsigned dimension, m, ef_construction;
	float alpha;
	char model[VECTOR_MODEL_MAX];
	size_t memory_max_bytes;
	uint64_t log_max_bytes;
	bool no_log;
	size_t code_bytes;   /* dimension, padded */
	size_t vector_bytes; /* of a slot in the vectors file */
	char *dir;	     /* NULL: in memory */

	/* Shared with readers. */
	struct chunk *chunks; /* CHUNKS_MAX, filled as they come */
	struct upper_pool upper;
	_Atomic(struct id_mid *) ids[IDS_TOP];
	_Atomic uint32_t slots; /* in use or used once: all below this */
	_Atomic uint64_t entry; /* layers << 32 | slot; ENTRY_NONE: empty */
	_Atomic uint64_t live;
	_Atomic float norm_max, residual_max;	     /* of all slots ever: for the widest bound */
	_Atomic uint64_t moves_begun, moves_done;    /* of ids, from one slot to another */
	_Atomic uint32_t moved[MOVES];		     /* the last of those ids */
	_Atomic uint64_t epoch;			     /* from 1 */
	_Atomic uint64_t epochs[VECTOR_READERS_MAX]; /* of a running search; 0: none */
	_Atomic bool places[VECTOR_READERS_MAX];     /* taken by a reader */

	/* The writer's. */
	struct scratch scratch;
	float *stored;	  /* a vector as it is stored */
	uint16_t *halves; /* the same as f16 */
	float *unit;	  /* a vector as it comes, scaled */
	uint8_t *code;	  /* of a vector that is checked */
	uint64_t random;
	uint32_t *free_slots; /* that may be used again */
	size_t n_free, cap_free;
	struct retired_list dead;    /* deleted, still in the graph */
	struct retired_list limbo;   /* out of the graph, perhaps held by a search */
	struct retired_list waiting; /* out of everybody's hands, but part of the last checkpoint */
	size_t memory_bytes;
	struct vector_files *files; /* NULL: in memory */
	uint64_t replayed;
	bool changed; /* since the last checkpoint */
	struct vector_hook hook;
};
#define ENTRY_NONE UINT64_MAX

static inline struct chunk *chunk_of(const struct vector_index *ix, uint32_t slot)
{
	return &ix->chunks[slot >> CHUNK_BITS];
}

static inline uint32_t in_chunk(uint32_t slot)
{
	return slot & (CHUNK_SLOTS - 1U);
}

static inline uint8_t *slot_code(const struct vector_index *ix, uint32_t slot)
{
	return chunk_of(ix, slot)->codes + (size_t)in_chunk(slot) * ix->code_bytes;
}

#define CACHE_LINE 64U

/* Its lines are on the way from memory when it is looked at a little later. */
static inline void lines_prefetch(const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += CACHE_LINE)
		__builtin_prefetch((const uint8_t *)data + i);
}

static inline struct slot_meta *slot_meta(const struct vector_index *ix, uint32_t slot)
{
	return &chunk_of(ix, slot)->meta[in_chunk(slot)];
}

static inline const uint8_t *slot_vector(const struct vector_index *ix, uint32_t slot)
{
	return chunk_of(ix, slot)->vectors + (size_t)in_chunk(slot) * ix->vector_bytes;
}

static inline uint32_t slot_id(const struct vector_index *ix, uint32_t slot)
{
	return atomic_load_explicit(&chunk_of(ix, slot)->ids[in_chunk(slot)], memory_order_acquire);
}

static inline void epochs_fence(void)
{
#ifndef __SANITIZE_THREAD__ /* which knows no fences; what stands around them is one on x86 */
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* --- slots (vector_slots.c) ------------------------------------------------------------------ */

/* Of them what its edges on layer 0 take. */
size_t slot_edge_bytes(const struct vector_index *ix);
/* Memory of one slot, without the tree of ids and the upper layers. */
size_t slot_memory_bytes(const struct vector_index *ix);
/* A slot for a new vector, with its vector, code and meta written; its id is not set yet. */
int slot_fill(struct vector_index *ix, const float *vector, unsigned layers, uint32_t *ret,
	      struct err *err) _must_check_;
/* Makes chunks for that many slots. */
int slots_reserve(struct vector_index *ix, uint32_t slots, struct err *err) _must_check_;
/* Takes back slots that no search holds any more; `all` waits for them. */
void slots_reclaim(struct vector_index *ix, bool all);
/* After a checkpoint: what it does not hold is overwritten and can be used again. */
int slots_recycle(struct vector_index *ix, struct err *err) _must_check_;
void slots_done(struct vector_index *ix);
/* A filled slot that nothing leads to is free again. */
void slot_abandon(struct vector_index *ix, uint32_t slot);

void retired_add(struct retired_list *list, uint32_t slot, uint64_t epoch);

static inline struct id_leaf *ids_leaf(const struct vector_index *ix, uint32_t id)
{
	uint32_t leaf = id / IDS_LEAF;
	struct id_mid *mid = atomic_load_explicit(&ix->ids[leaf / IDS_MID], memory_order_acquire);

	return mid ? atomic_load_explicit(&mid->leaves[leaf % IDS_MID], memory_order_acquire)
		   : NULL;
}

/* Slot of an id; EDGE_NONE: there is none. */
static inline uint32_t ids_get(const struct vector_index *ix, uint32_t id)
{
	const struct id_leaf *leaf = ids_leaf(ix, id);

	if (!leaf)
		return EDGE_NONE;
	return atomic_load_explicit(&leaf->slots[id % IDS_LEAF], memory_order_acquire) - 1U;
}

/* The largest norm and residual are known before a search can meet the slot. */
void slot_note_extremes(struct vector_index *ix, uint32_t slot);
/* What ids_reserve() would take. */
size_t ids_memory_bytes(const struct vector_index *ix, uint32_t id);
int ids_reserve(struct vector_index *ix, uint32_t id, struct err *err) _must_check_;
void ids_set(struct vector_index *ix, uint32_t id, uint32_t slot); /* reserved; EDGE_NONE: none */

/* Edges of a slot on a layer, and how many there can be. */
_Atomic uint32_t *slot_edges(const struct vector_index *ix, uint32_t slot, unsigned layer,
			     unsigned *ret_max);
unsigned slot_layers(const struct vector_index *ix, uint32_t slot); /* above layer 0 */
int upper_reserve_chunk(struct vector_index *ix, uint32_t number, struct err *err) _must_check_;

/* --- codes (vector_code.c) ------------------------------------------------------------------- */

struct code_facts {
	float scale;	/* value = scale * (code - 128) */
	float residual; /* at least the norm of vector - value */
	int32_t bias;	/* for the kernels */
};
/* `ret` has code_bytes. As a stored code, and as the query's side of a comparison. */
struct code_facts code_make(const struct vector_index *ix, const float *vector, uint8_t *ret);
struct code_facts code_query_make(const struct vector_index *ix, const float *vector, int8_t *ret);
/* Squared norm; 0 for one that is no finite number. */
float vector_norm2(const struct vector_index *ix, const float *vector);

/* --- walking (vector_walk.c) ----------------------------------------------------------------- */

void scratch_init(struct vector_index *ix, struct scratch *s);
void scratch_done(struct scratch *s);
void candidates_reserve(struct candidates *c, size_t n);

static inline float code_score(const struct code_query *q, const struct slot_meta *m, int32_t dot)
{
	return q->factor * m->scale * (float)dot - q->weight * m->norm2;
}

/* From the entry point down to `layer`, always to the best neighbor. False: the graph is empty. */
bool walk_descend(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		  unsigned layer, struct candidate *ret);
struct walk_filter {
	size_t ef;
	uint64_t budget;
};
struct walk_limits {
	unsigned layer;
	size_t ef;
};
/* Fills s->pool with the `ef` best that a walk from `from` finds, best first. */
void walk_layer(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		struct candidate from, struct walk_limits limits);
/*
 * The same on layer 0, but only what the filter allows comes into s->pool; the others are walked
 * through. False: it gave up after `budget` distances.
 */
bool walk_filtered(const struct vector_index *ix, struct scratch *s, const struct code_query *q,
		   const struct vector_query *query, struct candidate from,
		   struct walk_filter limits);

/* --- the graph (vector_graph.c, vector_repair.c) --------------------------------------------- */

unsigned graph_random_layers(struct vector_index *ix);
/* Links a filled slot into the graph. */
void graph_insert(struct vector_index *ix, uint32_t slot);
/* Edges of a slot on a layer, chosen among what a walk found (the writer's pool): with an equal one
 * among them, that one's edges. Returns the equal one, or EDGE_NONE. */
uint32_t graph_choose_edges(struct vector_index *ix, uint32_t slot, unsigned layer);
/* From `from` an edge to `slot` on layer 0. When there is no place for it, that of the farthest
 * neighbor, which `slot` leads to from then on: nothing that could be reached is lost by it. */
void graph_lead_to(struct vector_index *ix, uint32_t from, uint32_t slot);
/* Of candidates in the order of their distance (score: minus that), those that lead into different
 * directions; returns how many. */
size_t graph_prune(const struct vector_index *ix, const struct candidates *from, size_t max,
		   uint32_t *ret);
/* Squared distance of two vectors, by their codes; of those with the same code one that comes
 * before all others and is nearer than any by alpha. */
#define DISTANCE_EQUAL (-1.0F)
float pair_distance(const struct vector_index *ix, uint32_t a, uint32_t b);
void edges_store(_Atomic uint32_t *edges, unsigned max, const uint32_t *to, size_t n);
void candidates_sort(struct candidates *c);
/* Fills the writer's pool with what a walk finds near a slot on layer 0, best first. */
void graph_candidates(struct vector_index *ix, uint32_t slot);
/* Takes the dead out of the graph and closes the gaps they leave. `in_hand`: a slot that is being
 * inserted and has no id yet (EDGE_NONE: none); its edges are mended, too. */
void graph_repair(struct vector_index *ix, uint32_t in_hand);
/* Makes a way to every slot. */
void graph_connect(struct vector_index *ix);
/* A bit for each slot that the entry point leads to on layer 0; the caller's. */
uint64_t *graph_reached(const struct vector_index *ix);
bool graph_is_reached(const uint64_t *reached, uint32_t slot);

int vector_open_hooked(const char *dir, const struct vector_options *options,
		       const struct vector_hook *hook, struct vector_index **ret, struct err *err)
    _must_check_;
