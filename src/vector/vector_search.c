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
 *          a scan would gives up for the scan: so no filter, however far from the query its
 *          matches are, costs more than twice a scan.
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

/* Recall@10 of 0.985 on 147,000 texts and 0.99 on 19,000 (`vector bench`, docs/benchmarks). */
#define EF_DEFAULT 96U

/* What a walk costs for each of its ef candidates, in vectors of a scan: it compares about 14 (the
 * trace of a search says how many), each from a place of memory that nothing announced, which takes
 * about 1.7 times as long. */
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
	float norm;	  /* of the query */
	float residual;	  /* norm of what its code leaves out */
	float share;	  /* of the bounds that counts: 1, or less when a walk's order suffices */
	float widest;	  /* of the bounds of any vector */
	float shift;	  /* what scores by codes are larger than those of hits */
	uint64_t allowed; /* ids in the filter, there or not */
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
	q->shift = ix->metric == VECTOR_L2 ? q->norm * q->norm : 0;
	q->code =
	    (struct code_query){.values = q->s->query,
				.bias = facts.bias,
				.factor = ix->metric == VECTOR_L2 ? 2 * facts.scale : facts.scale,
				.weight = ix->metric == VECTOR_L2 ? 1 : 0};
}

static float true_score(const struct search *q, uint32_t slot)
{
	const struct vector_index *ix = q->ix;
	const void *v = slot_vector(ix, slot);

	q->s->rescored++;
	if (ix->metric == VECTOR_L2)
		return ix->precision == VECTOR_F16
			   ? -ix->kernels->l2_f16(v, q->s->exact, ix->dimension)
			   : -ix->kernels->l2_f32(v, q->s->exact, ix->dimension);
	return ix->precision == VECTOR_F16 ? ix->kernels->dot_f16(v, q->s->exact, ix->dimension)
					   : ix->kernels->dot_f32(v, q->s->exact, ix->dimension);
}

/* Of the numbers that a score is made of, what floats may round. */
#define ROUNDING 1e-5F

/*
 * How far the score by codes can be from the true one. With x = x' + r the query and its code, and
 * v = v' + e: x.v - x'.v' = r.v' + x.e, which is at most |r||v'| + |x||e|, and |v'| <= |v| + |e|.
 * A little is added for the rounding of floats.
 */
static float bounds(const struct search *q, float v, float e)
{
	float bound = q->residual * (v + e) + q->norm * e + ROUNDING * q->norm * v;

	if (q->ix->metric == VECTOR_L2)
		bound = 2 * bound + ROUNDING * v * v;
	return q->share * bound;
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

/* The stored vectors of a few candidates are on the way while those before are compared. */
#define RESCORE_AHEAD 2U

static void vector_prefetch(const struct vector_index *ix, uint32_t slot)
{
	lines_prefetch(slot_vector(ix, slot), ix->vector_bytes);
}

/* Candidates come best first; those that cannot be among the k best any more are left. */
static void rescore(struct search *q, const struct candidates *from)
{
	for (size_t i = 0; i < from->len && i < RESCORE_AHEAD; i++)
		vector_prefetch(q->ix, from->items[i].slot);
	for (size_t i = 0; i < from->len; i++) {
		uint32_t slot = from->items[i].slot, id = slot_id(q->ix, slot);

		if (i + RESCORE_AHEAD < from->len && i < q->k)
			vector_prefetch(q->ix, from->items[i + RESCORE_AHEAD].slot);
		if (id == VECTOR_ID_NONE || ids_get(q->ix, id) != slot) /* deleted, replaced */
			continue;
		if (q->n_hits == q->k &&
		    from->items[i].score + bounds_of(q, slot) - q->shift < q->hits[q->k - 1].score)
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
	const struct code_query code = q->code;
	struct candidates *floor = &q->s->queue;
	size_t n = block->n;
	int32_t dots[SCAN_BLOCK];
	float scores[SCAN_BLOCK], best = -HUGE_VALF;

	if (n == 0)
		return;
	q->ix->kernels->dot_query_many(block->codes, n, code.values, code.bias, q->ix->code_bytes,
				       dots);
	for (size_t i = 0; i < n; i++) {
		scores[i] = code_score(&code, slot_meta(q->ix, block->slots[i]), dots[i]);
		best = scores[i] > best ? scores[i] : best;
	}
	q->s->distances += n;
	/* Nearly all end here, most of them by the block, without a look at their own bounds. */
	if (floor->len == q->k && best + q->widest < floor->items[0].score)
		return;
	candidates_reserve(&q->s->pool, q->s->pool.len + n);
	for (size_t i = 0; i < n; i++) {
		if (floor->len < q->k || scores[i] + q->widest >= floor->items[0].score)
			keep(q, block->slots[i], scores[i]);
	}
}

static void block_add(const struct search *q, struct block *block, uint32_t slot)
{
	const uint8_t *code = slot_code(q->ix, slot);

	block->slots[block->n] = slot;
	block->codes[block->n++] = code;
	lines_prefetch(code, q->ix->code_bytes);
	__builtin_prefetch(slot_meta(q->ix, slot));
}

static void scan_all(struct search *q)
{
	uint32_t end = atomic_load_explicit(&q->ix->slots, memory_order_acquire);
	struct block blocks[2] = {0};
	unsigned now = 0;

	for (uint32_t slot = 0; slot < end; slot++) {
		uint32_t id = slot_id(q->ix, slot);

		if (id == VECTOR_ID_NONE ||
		    (q->query->filter && !roaring_bitmap_contains(q->query->filter, id)))
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
	if (q->query->filter && q->allowed <= atomic_load(&q->ix->slots))
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

	/* A filtered walk sees live / matches vectors for each one it may keep. `matches` is not
	 * above `live`, and neither above 2^30. */
	return matches * matches <= WALK_COST * ef * live;
}

/* False: it gave up, or the graph is empty. */
static bool walk(struct search *q, size_t ef, uint64_t budget)
{
	struct walk_filter limits = {ef, budget};
	struct candidate from;

	q->n_hits = 0;
	if (!walk_descend(q->ix, q->s, &q->code, 0, &from))
		return false;
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

/*
 * The dead take places among a walk's candidates: one for each sixteen living in general (see
 * REPAIR_SHARE), all of them where just the neighborhood of the query was deleted.
 */
static size_t ef_of(const struct search *q)
{
	size_t ef = q->query->ef ? q->query->ef : EF_DEFAULT, least = q->k + q->k / 8;

	return ef > least ? ef : least;
}

static enum vector_plan find(struct search *q)
{
	const struct vector_index *ix = q->ix;
	uint64_t live = atomic_load(&ix->live), matches = live;
	enum vector_plan plan = VECTOR_PLAN_SCAN;
	size_t want;

	if (q->query->filter) {
		q->allowed = roaring_bitmap_get_cardinality(q->query->filter);
		matches = q->allowed < live ? q->allowed : live;
	}
	want = q->k < matches ? q->k : (size_t)matches;
	for (size_t ef = ef_of(q); !q->query->exact && ix->kind == VECTOR_GRAPH && matches > q->k &&
				   !scan_is_cheaper(ix, matches, ef);
	     ef *= 2) {
		if (walk(q, ef, q->s->distances + matches) && q->n_hits >= want)
			return VECTOR_PLAN_WALK;
		plan = VECTOR_PLAN_WALK_THEN_SCAN;
		if (q->query->filter) /* it gave up, or has seen all */
			break;
	}
	scan(q);
	return plan;
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
	if (ix->kernels->dot_f32(q->vector, q->vector, ix->dimension) <= NORM2_MAX)
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
	epochs_fence();
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

/* An id may have been found at both of its slots. Returns whether one was. */
static bool drop_doubles(struct search *q)
{
	size_t n = 0, found = q->n_hits;

	qsort(q->hits, q->n_hits, sizeof(*q->hits), compare_ids);
	for (size_t i = 0; i < found; i++) {
		if (n == 0 || q->hits[n - 1].id != q->hits[i].id)
			q->hits[n++] = q->hits[i];
	}
	q->n_hits = n;
	qsort(q->hits, q->n_hits, sizeof(*q->hits), compare_hits);
	return n < found;
}

static bool is_hit(const struct search *q, uint32_t id)
{
	for (size_t i = 0; i < q->n_hits; i++) {
		if (q->hits[i].id == id)
			return true;
	}
	return false;
}

/* And it may have been found at neither: its new slot was passed before it came there, and its old
 * one reached when it had gone. */
static void add_moved(struct search *q, uint64_t since, uint64_t until)
{
	const struct vector_index *ix = q->ix;

	if (until - since > MOVES)
		since = until - MOVES;
	for (; since < until; since++) {
		uint32_t id = atomic_load(&ix->moved[since % MOVES]), slot = ids_get(ix, id);

		if (slot != EDGE_NONE && !is_hit(q, id) &&
		    (!q->query->filter || roaring_bitmap_contains(q->query->filter, id)))
			add_hit(q, (struct vector_hit){id, true_score(q, slot)});
	}
}

/* What the writer did meanwhile. False: the search must be done again. */
static bool settle(struct search *q, enum vector_plan plan, uint64_t since)
{
	uint64_t until = atomic_load(&q->ix->moves_begun);

	if (until != since) {
		if (drop_doubles(q))
			return false;
		add_moved(q, since, until);
	}
	/* A scan leaves out what k others are surely better than: short, when one of those died. */
	return plan == VECTOR_PLAN_WALK || q->n_hits == q->k || q->s->queue.len < q->k;
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
	uint64_t since;
	int result = check_query(ix, query, err);

	if (result < 0)
		return result;
	s->distances = s->expansions = s->rescored = 0;
	query_prepare(&q);
	enter(r);
	do {
		since = atomic_load(&ix->moves_done);
		plan = find(&q);
	} while (!settle(&q, plan, since));
	leave(r);
	if (trace)
		*trace = (struct vector_trace){plan, s->distances, s->expansions, s->rescored};
	*ret_n = q.n_hits;
	return 0;
}
