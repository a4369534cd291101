/*
 * Answering a query: plan, find candidates by their codes, put them in their true order.
 *
 * The plan goes by how many vectors can match, m of n (the filter's exact count, never a guess):
 *
 *   scan   all that match, by their codes. Chosen when that costs less than a walk would. A code
 *          says the score within a bound that is known (see bounds_of); so a scan keeps just those
 *          that can be among the k best, looks at the stored vectors of those, and its answer is
 *          exactly that of comparing all stored vectors.
 *   walk   through the graph, without a filter or with one. What the filter leaves out is walked
 *          through, as bridges, but not kept. A filtered walk that has compared as many vectors as
 * a scan would gives up for the scan: so no filter, however far from the query its matches are,
 * costs more than twice a scan.
 *
 * A walk that comes back with fewer than min(k, m) is followed by a scan: the answer is never
 * short.
 */
#include "vector/vector_int.h"

#include "base/mem.h"

#include <math.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define EF_DEFAULT 64U /* recall above 0.99 on the sets of docs/vector.md */

/* A walk compares about this many vectors for each of its ef candidates, and following an edge in
 * no order costs more than the next vector of a scan. Measured: docs/vector.md. */
#define WALK_COST 24U

/* Scores of a walk's candidates come true within this many standard deviations. */
#define DEVIATIONS 5.0F

#define SCAN_BLOCK 32U

/* Slots that are compared together; their codes are on the way from memory. */
struct block {
	size_t n;
	uint32_t slots[SCAN_BLOCK];
	const uint8_t *codes[SCAN_BLOCK];
};

struct search {
	const struct vector_index *ix;
	struct scratch *s;
	const struct vector_query *query;
	struct code_query code;
	float norm;	/* of the query */
	float residual; /* norm of what its code leaves out */
	float share;	/* of the bounds that counts: 1, or less when a walk's order suffices */
	float widest;	/* of the bounds of any vector */
	size_t k;
	struct vector_hit *hits;
	size_t n_hits;
};

/* --- scores ---------------------------------------------------------------------------------- */

static void query_prepare(struct search *q)
{
	const struct vector_index *ix = q->ix;
	float norm2 = vector_norm2(ix, q->query->vector), *exact = q->s->exact;
	float factor = ix->metric == VECTOR_COSINE && norm2 > 0 ? 1 / sqrtf(norm2) : 1;
	struct code_facts facts;

	for (unsigned i = 0; i < ix->dimension; i++)
		exact[i] = q->query->vector[i] * factor;
	facts = code_query_make(ix, exact, q->s->query);
	q->norm = sqrtf(norm2) * factor;
	q->residual = facts.residual;
	q->code =
	    (struct code_query){.values = q->s->query,
				.bias = facts.bias,
				.factor = ix->metric == VECTOR_L2 ? 2 * facts.scale : facts.scale,
				.weight = ix->metric == VECTOR_L2 ? 1 : 0};
}

/* In the terms of the codes: for L2 without the query's own norm. */
static float true_score(const struct search *q, uint32_t slot)
{
	const struct vector_index *ix = q->ix;
	const void *v = slot_vector(ix, slot);
	float squared;

	q->s->rescored++;
	if (ix->metric != VECTOR_L2)
		return ix->precision == VECTOR_F16
			   ? ix->kernels->dot_f16(v, q->s->exact, ix->dimension)
			   : ix->kernels->dot_f32(v, q->s->exact, ix->dimension);
	squared = ix->precision == VECTOR_F16 ? ix->kernels->l2_f16(v, q->s->exact, ix->dimension)
					      : ix->kernels->l2_f32(v, q->s->exact, ix->dimension);
	return q->norm * q->norm - squared;
}

/*
 * How far the score by codes can be from the true one. With x = x' + r the query and its code, and
 * v = v' + e: x.v - x'.v' = r.v' + x.e, which is at most |r||v'| + |x||e|, and |v'| <= |v| + |e|.
 * A little is added for the rounding of floats.
 */
static float bounds(const struct search *q, float v, float e)
{
	float bound = q->residual * (v + e) + q->norm * e + 1e-5F * q->norm * v;

	return q->share * (q->ix->metric == VECTOR_L2 ? 2 * bound : bound);
}

static float bounds_of(const struct search *q, uint32_t slot)
{
	return bounds(q, sqrtf(slot_meta(q->ix, slot)->norm2),
		      chunk_of(q->ix, slot)->residual[in_chunk(slot)]);
}

/* --- hits: sorted by score, then id ---------------------------------------------------------- */

static bool comes_before(struct vector_hit a, struct vector_hit b)
{
	return a.score > b.score || (a.score >= b.score && a.id < b.id);
}

static void add_hit(struct search *q, struct vector_hit hit)
{
	size_t at, end;

	if (q->n_hits == q->k && !comes_before(hit, q->hits[q->k - 1]))
		return;
	end = q->n_hits < q->k ? q->n_hits++ : q->k - 1;
	for (at = end; at > 0 && comes_before(hit, q->hits[at - 1]); at--)
		q->hits[at] = q->hits[at - 1];
	q->hits[at] = hit;
}

/* Candidates come best first; those that cannot be among the k best any more are left. */
static void rescore(struct search *q, const struct candidates *from)
{
	for (size_t i = 0; i < from->len; i++) {
		uint32_t slot = from->items[i].slot, id = slot_id(q->ix, slot);

		if (id == VECTOR_ID_NONE || ids_get(q->ix, id) != slot) /* deleted, replaced */
			continue;
		if (q->n_hits == q->k &&
		    from->items[i].score + bounds_of(q, slot) < q->hits[q->k - 1].score)
			continue;
		add_hit(q, (struct vector_hit){id, true_score(q, slot)});
	}
}

/* --- scanning -------------------------------------------------------------------------------- */

/* The k largest of the scores that candidates have at least: a heap with the smallest on top. */
static void floor_add(struct candidates *heap, size_t k, float score)
{
	size_t i;

	if (heap->len < k) { /* up */
		for (i = heap->len++; i > 0 && heap->items[(i - 1) / 2].score > score;
		     i = (i - 1) / 2)
			heap->items[i] = heap->items[(i - 1) / 2];
		heap->items[i].score = score;
		return;
	}
	if (score <= heap->items[0].score)
		return;
	for (i = 0;;) { /* down */
		size_t child = 2 * i + 1;

		if (child >= k)
			break;
		if (child + 1 < k && heap->items[child + 1].score < heap->items[child].score)
			child++;
		if (heap->items[child].score >= score)
			break;
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i].score = score;
}

/* Keeps what can be among the k best as far as is known now. */
static void keep(struct search *q, uint32_t slot, float score)
{
	struct candidates *kept = &q->s->pool, *floor = &q->s->queue;
	float within = bounds_of(q, slot);

	if (floor->len == q->k && score + within < floor->items[0].score)
		return;
	kept->items[kept->len++] = (struct candidate){score, slot};
	floor_add(floor, q->k, score - within);
}

static void scan_block(struct search *q, const struct block *block)
{
	struct candidates *floor = &q->s->queue;
	int32_t dots[SCAN_BLOCK];

	if (block->n == 0)
		return;
	q->ix->kernels->dot_query_many(block->codes, block->n, q->code.values, q->code.bias,
				       q->ix->code_bytes, dots);
	candidates_reserve(&q->s->pool, q->s->pool.len + block->n);
	for (size_t i = 0; i < block->n; i++) {
		float score = code_score(&q->code, slot_meta(q->ix, block->slots[i]), dots[i]);

		/* Nearly all end here, without a look at their own bounds. */
		if (floor->len < q->k || score + q->widest >= floor->items[0].score)
			keep(q, block->slots[i], score);
	}
	q->s->distances += block->n;
}

static void block_add(const struct search *q, struct block *block, uint32_t slot)
{
	const uint8_t *code = slot_code(q->ix, slot);

	block->slots[block->n] = slot;
	block->codes[block->n++] = code;
	for (size_t i = 0; i < q->ix->code_bytes; i += 64)
		__builtin_prefetch(code + i);
	__builtin_prefetch(slot_meta(q->ix, slot));
}

static void scan_all(struct search *q)
{
	uint32_t end = atomic_load_explicit(&q->ix->slots, memory_order_acquire);
	struct block blocks[2] = {0};
	unsigned now = 0;

	for (uint32_t slot = 0; slot < end; slot++) {
		if (slot_id(q->ix, slot) == VECTOR_ID_NONE)
			continue;
		block_add(q, &blocks[now], slot);
		if (blocks[now].n < SCAN_BLOCK)
			continue;
		now = !now; /* compared while the next one comes from memory */
		scan_block(q, &blocks[now]);
		blocks[now].n = 0;
	}
	scan_block(q, &blocks[!now]);
	scan_block(q, &blocks[now]);
}

static void scan_filtered(struct search *q)
{
	roaring_uint32_iterator_t it;
	struct block blocks[2] = {0};
	uint32_t ids[SCAN_BLOCK], n;
	unsigned now = 0;

	roaring_init_iterator(q->query->filter, &it);
	while ((n = roaring_read_uint32_iterator(&it, ids, SCAN_BLOCK)) > 0) {
		blocks[now].n = 0;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t slot = ids_get(q->ix, ids[i]);

			if (slot != EDGE_NONE)
				block_add(q, &blocks[now], slot);
		}
		now = !now;
		scan_block(q, &blocks[now]);
		blocks[now].n = 0;
	}
	scan_block(q, &blocks[!now]);
}

/* Of what the scan kept, only those that the final floor leaves. */
static void drop_below_floor(struct search *q)
{
	struct candidates *kept = &q->s->pool;
	size_t n = 0;

	if (q->s->queue.len < q->k)
		return;
	for (size_t i = 0; i < kept->len; i++) {
		struct candidate c = kept->items[i];

		if (c.score + bounds_of(q, c.slot) >= q->s->queue.items[0].score)
			kept->items[n++] = c;
	}
	kept->len = n;
}

static void scan(struct search *q)
{
	q->s->pool.len = q->s->queue.len = q->n_hits = 0;
	q->share = 1;
	q->widest = bounds(q, atomic_load_explicit(&q->ix->norm_max, memory_order_acquire),
			   atomic_load_explicit(&q->ix->residual_max, memory_order_acquire));
	candidates_reserve(&q->s->queue, q->k);
	if (q->query->filter)
		scan_filtered(q);
	else
		scan_all(q);
	drop_below_floor(q);
	candidates_sort(&q->s->pool);
	rescore(q, &q->s->pool);
}

/* --- the plan -------------------------------------------------------------------------------- */

static bool scan_is_cheaper(const struct vector_index *ix, uint64_t matches, uint64_t ef)
{
	uint64_t live = atomic_load_explicit(&ix->live, memory_order_relaxed);

	/* A filtered walk sees live / matches vectors for each one it may keep. */
	return matches * matches <= WALK_COST * ef * live;
}

/* False: it gave up. */
static bool walk(struct search *q, size_t ef, uint64_t budget)
{
	struct walk_filter limits = {ef, budget};
	struct candidate from;

	from = walk_descend(q->ix, q->s, &q->code, 0);
	q->share = fminf(1, DEVIATIONS / sqrtf((float)q->ix->dimension));
	if (q->query->filter) {
		if (!walk_filtered(q->ix, q->s, &q->code, q->query, from, limits))
			return false;
	} else {
		walk_layer(q->ix, q->s, &q->code, from, (struct walk_limits){0, ef});
	}
	rescore(q, &q->s->pool);
	return true;
}

static enum vector_plan find(struct search *q)
{
	const struct vector_index *ix = q->ix;
	uint64_t live = atomic_load(&ix->live), matches = live, distances;
	size_t ef = q->query->ef ? q->query->ef : EF_DEFAULT, want;

	if (q->query->filter)
		matches = roaring_bitmap_get_cardinality(q->query->filter);
	want = q->k < matches ? q->k : (size_t)matches;
	if (ef < q->k)
		ef = q->k;
	if (q->query->exact || ix->kind == VECTOR_EXACT || matches <= q->k ||
	    scan_is_cheaper(ix, matches, ef) || atomic_load(&ix->entry) == ENTRY_NONE) {
		scan(q);
		return VECTOR_PLAN_SCAN;
	}
	distances = q->s->distances;
	if (walk(q, ef, distances + matches) && q->n_hits >= want)
		return VECTOR_PLAN_WALK;
	scan(q);
	return VECTOR_PLAN_WALK_THEN_SCAN;
}

/* --- the interface --------------------------------------------------------------------------- */

static int check_query(const struct vector_index *ix, const struct vector_query *q, struct err *err)
{
	if (q->k == 0 || q->k > VECTOR_K_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%zu nearest vectors were asked for; possible are 1 to %d", q->k,
			       VECTOR_K_MAX);
	if (q->ef > VECTOR_EF_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "ef is %u; possible is up to %d", q->ef,
			       VECTOR_EF_MAX);
	if (isfinite(ix->kernels->dot_f32(q->vector, q->vector, ix->dimension)))
		return 0;
	for (unsigned i = 0; i < ix->dimension; i++) {
		if (!isfinite(q->vector[i]))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "value %u of the query's vector is no finite number", i);
	}
	return err_set(err, ERR_INVALID_ARGUMENT, "the values of the query's vector are too large");
}

static void enter(struct vector_reader *r)
{
	struct vector_index *ix = r->index;

	/* Whatever the writer retires from now on is kept until leave(). */
	atomic_store_explicit(&ix->epochs[r->place], atomic_load(&ix->epoch), memory_order_seq_cst);
#ifndef __SANITIZE_THREAD__ /* which knows no fences; the store before is one on its machines */
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static void leave(struct vector_reader *r)
{
	atomic_store_explicit(&r->index->epochs[r->place], 0, memory_order_release);
}

static int compare_ids(const void *a, const void *b)
{
	const struct vector_hit *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->score < y->score) - (x->score > y->score);
}

static int compare_hits(const void *a, const void *b)
{
	const struct vector_hit *x = a, *y = b;

	return comes_before(*x, *y) ? -1 : comes_before(*y, *x);
}

/* Vectors were replaced during the search: an id may have been seen at both of its slots. */
static void drop_doubles(struct search *q)
{
	size_t n = 0;

	qsort(q->hits, q->n_hits, sizeof(*q->hits), compare_ids);
	for (size_t i = 0; i < q->n_hits; i++) {
		if (n == 0 || q->hits[n - 1].id != q->hits[i].id)
			q->hits[n++] = q->hits[i];
	}
	q->n_hits = n;
	qsort(q->hits, q->n_hits, sizeof(*q->hits), compare_hits);
}

bool vector_has(struct vector_reader *r, uint32_t id)
{
	return id != VECTOR_ID_NONE && ids_get(r->index, id) != EDGE_NONE;
}

int vector_get(struct vector_reader *r, uint32_t id, float *ret, struct err *err)
{
	const struct vector_index *ix = r->index;
	uint32_t slot;

	enter(r);
	slot = id == VECTOR_ID_NONE ? EDGE_NONE : ids_get(ix, id);
	if (slot != EDGE_NONE && ix->precision == VECTOR_F16)
		ix->kernels->from_f16((const void *)slot_vector(ix, slot), ret, ix->dimension);
	else if (slot != EDGE_NONE)
		memcpy(ret, slot_vector(ix, slot), ix->vector_bytes);
	leave(r);
	return slot == EDGE_NONE ? err_set(err, ERR_NOT_FOUND, "there is no vector %u", id) : 0;
}

int vector_search(struct vector_reader *r, const struct vector_query *query, struct vector_hit *ret,
		  size_t *ret_n, struct vector_trace *trace, struct err *err)
{
	struct vector_index *ix = r->index;
	struct scratch *s = &r->scratch;
	struct search q = {.ix = ix, .s = s, .query = query, .k = query->k, .hits = ret};
	enum vector_plan plan;
	uint64_t replaced;
	size_t found;
	int result = check_query(ix, query, err);

	if (result < 0)
		return result;
	s->distances = s->expansions = s->rescored = 0;
	query_prepare(&q);
	enter(r);
	do {
		replaced = atomic_load(&ix->replaced);
		plan = find(&q);
		found = q.n_hits;
		if (atomic_load(&ix->replaced) != replaced)
			drop_doubles(&q);
	} while (q.n_hits < found);
	leave(r);
	if (ix->metric == VECTOR_L2) {
		for (size_t i = 0; i < q.n_hits; i++)
			ret[i].score -= q.norm * q.norm;
	}
	if (trace)
		*trace = (struct vector_trace){plan, s->distances, s->expansions, s->rescored};
	*ret_n = q.n_hits;
	return 0;
}
