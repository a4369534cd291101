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

#define SCAN_BLOCK 64U

struct search {
	const struct vector_index *ix;
	struct scratch *s;
	const struct vector_query *query;
	struct code_query code;
	float norm;	/* of the query */
	float residual; /* norm of what its code leaves out */
	float share;	/* of the bounds that counts: 1, or less when a walk's order suffices */
	size_t k;
	struct vector_hit *hits;
	size_t n_hits;
};

/* --- scores ---------------------------------------------------------------------------------- */

static void query_prepare(const struct vector_index *ix, const float *vector, struct scratch *s,
			  struct code_query *ret)
{
	float norm2 = vector_norm2(vector, ix->dimension), scale;
	float factor = ix->metric == VECTOR_COSINE && norm2 > 0 ? 1 / sqrtf(norm2) : 1;

	for (unsigned i = 0; i < ix->dimension; i++)
		s->exact[i] = vector[i] * factor;
	scale = code_query_make(s->exact, ix->dimension, ix->code_bytes, s->query, &ret->bias);
	ret->values = s->query;
	ret->factor = ix->metric == VECTOR_L2 ? 2 * scale : scale;
	ret->weight = ix->metric == VECTOR_L2 ? 1 : 0;
}

/* Norm of what the query's code leaves out. */
static float query_residual(const struct vector_index *ix, const struct scratch *s, float scale)
{
	double sum = 0;

	for (unsigned i = 0; i < ix->dimension; i++) {
		double d = (double)s->exact[i] - (double)scale * s->query[i];

		sum += d * d;
	}
	return (float)(sqrt(sum) * 1.00001);
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
static float bounds_of(const struct search *q, uint32_t slot)
{
	float e = chunk_of(q->ix, slot)->residual[in_chunk(slot)];
	float v = sqrtf(slot_meta(q->ix, slot)->norm2);
	float bound = q->residual * (v + e) + q->norm * e + 1e-5F * q->norm * v;

	return q->share * (q->ix->metric == VECTOR_L2 ? 2 * bound : bound);
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

static void scan_block(struct search *q, const uint32_t *slots, size_t n)
{
	struct candidates *kept = &q->s->pool, *floor = &q->s->queue;
	const uint8_t *codes[SCAN_BLOCK];
	int32_t dots[SCAN_BLOCK];

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		codes[i] = slot_code(q->ix, slots[i]);
	q->ix->kernels->dot_query_many(codes, n, q->code.values, q->code.bias, q->ix->code_bytes,
				       dots);
	candidates_reserve(kept, kept->len + n);
	for (size_t i = 0; i < n; i++) {
		float score = code_score(&q->code, slot_meta(q->ix, slots[i]), dots[i]);
		float bounds = bounds_of(q, slots[i]);

		if (floor->len == q->k && score + bounds < floor->items[0].score)
			continue;
		kept->items[kept->len++] = (struct candidate){score, slots[i]};
		floor_add(floor, q->k, score - bounds);
	}
	q->s->distances += n;
}

static void scan_all(struct search *q)
{
	uint32_t slots[SCAN_BLOCK], end = atomic_load_explicit(&q->ix->slots, memory_order_acquire);
	size_t n = 0;

	for (uint32_t slot = 0; slot < end; slot++) {
		if (slot_id(q->ix, slot) == VECTOR_ID_NONE)
			continue;
		slots[n++] = slot;
		if (n == SCAN_BLOCK) {
			scan_block(q, slots, n);
			n = 0;
		}
	}
	scan_block(q, slots, n);
}

static void scan_filtered(struct search *q)
{
	roaring_uint32_iterator_t it;
	uint32_t ids[SCAN_BLOCK], slots[SCAN_BLOCK], n;

	roaring_init_iterator(q->query->filter, &it);
	while ((n = roaring_read_uint32_iterator(&it, ids, SCAN_BLOCK)) > 0) {
		size_t found = 0;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t slot = ids_get(q->ix, ids[i]);

			if (slot == EDGE_NONE)
				continue;
			slots[found++] = slot;
			for (size_t j = 0; j < q->ix->code_bytes; j += 64)
				__builtin_prefetch(slot_code(q->ix, slot) + j);
		}
		scan_block(q, slots, found);
	}
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
	for (unsigned i = 0; i < ix->dimension; i++) {
		if (!isfinite(q->vector[i]))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "value %u of the query's vector is no finite number", i);
	}
	return 0;
}

static void enter(struct vector_reader *r)
{
	struct vector_index *ix = r->index;

	/* Whatever the writer retires from now on is kept until leave(). */
	atomic_store_explicit(&ix->epochs[r->place], atomic_load(&ix->epoch), memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
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
	query_prepare(ix, query->vector, s, &q.code);
	q.norm = sqrtf(vector_norm2(s->exact, ix->dimension));
	q.residual =
	    query_residual(ix, s, ix->metric == VECTOR_L2 ? q.code.factor / 2 : q.code.factor);
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
