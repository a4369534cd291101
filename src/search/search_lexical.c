/*
 * Postings and scoring: see search_lexical.h.
 *
 * A posting is a word of 32 bits: the document's place in its window (12), the fields that the term
 * is in (8), its quantised tf (12). A block of up to two stands in its own header, since most terms
 * of a catalogue are rare.
 *
 * Scoring goes clause by clause through a window, whose scores stay in the second level of the
 * cache. Nothing predicts what branches on documents, which so cost more than they save: those that
 * have something are marked first, and then everything is added without asking.
 */
#include "search/search_lexical.h"

#include "base/bits.h"

#include <assert.h>
#include <math.h>

#include "base/banned.h"

#define LOW_BITS    12
#define FIELD_BITS  8
#define LEVELS	    4096
#define TF_MIN	    0.002
#define TF_MAX	    400.0
#define INLINE_MAX  2
#define VARIANT_MAX 16 /* terms of one */
#define COUNTS_MAX  0xFFFF

static_assert(SEARCH_WINDOW == 1 << LOW_BITS, "a posting has room for a place in a window");
static_assert(SEARCH_FIELDS_MAX <= FIELD_BITS, "a posting has a bit for each field");

struct block {
	uint32_t window;
	uint16_t n, cap; /* cap INLINE_MAX: in `few` */
	uint16_t max;	 /* the highest level */
	union {
		uint32_t few[INLINE_MAX];
		uint32_t *many;
	};
};

struct postings {
	struct block *blocks; /* by window */
	uint32_t n, cap;
	uint32_t documents;
};

struct search_lexical {
	struct search_weights weights;
	struct postings *terms; /* by number */
	size_t cap;
	size_t bytes;
	float saturated[LEVELS]; /* tf / (k1 + tf) of each level */
};

struct search_lexical *search_lexical_new(const struct search_weights *weights)
{
	struct search_lexical *lx = MEM_NEW(struct search_lexical);

	lx->weights = *weights;
	for (size_t i = 0; i < LEVELS; i++) {
		double tf = TF_MIN * pow(TF_MAX / TF_MIN, (double)i / (LEVELS - 1));

		lx->saturated[i] = (float)(tf / (weights->k1 + tf));
	}
	return lx;
}

struct search_lexical *search_lexical_free(struct search_lexical *lx)
{
	if (!lx)
		return NULL;
	for (size_t i = 0; i < lx->cap; i++) {
		struct postings *p = &lx->terms[i];

		for (size_t k = 0; k < p->n; k++) {
			if (p->blocks[k].cap > INLINE_MAX)
				mem_free(p->blocks[k].many);
		}
		mem_free(p->blocks);
	}
	mem_free(lx->terms);
	mem_free(lx);
	return NULL;
}

size_t search_lexical_memory(const struct search_lexical *lx)
{
	return sizeof(*lx) + lx->cap * sizeof(*lx->terms) + lx->bytes;
}

/* --- writing --------------------------------------------------------------------------------- */

static uint32_t *entries_of(struct block *b)
{
	return b->cap > INLINE_MAX ? b->many : b->few;
}

static const uint32_t *entries(const struct block *b)
{
	return b->cap > INLINE_MAX ? b->many : b->few;
}

static uint32_t place_of(uint32_t posting)
{
	return posting >> (32 - LOW_BITS);
}

static uint16_t level_of(uint32_t posting)
{
	return posting & (LEVELS - 1);
}

static uint8_t fields_of(uint32_t posting)
{
	return (uint8_t)(posting >> LOW_BITS);
}

/* The first block at or behind the window. */
static size_t find_block(const struct postings *p, uint32_t window)
{
	size_t low = 0, high = p->n;

	/* What is added is mostly the newest. */
	if (high && p->blocks[high - 1].window <= window)
		return high - (p->blocks[high - 1].window == window);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->blocks[middle].window < window)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first posting at or behind the place. */
static size_t find_place(const uint32_t *items, size_t n, uint32_t place)
{
	size_t low = 0, high = n;

	if (n && place_of(items[n - 1]) < place)
		return n;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (place_of(items[middle]) < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct block *add_block(struct search_lexical *lx, struct postings *p, size_t at,
			       uint32_t window)
{
	struct block *b;

	if (p->n == p->cap) {
		uint32_t cap = p->cap ? p->cap + p->cap / 2 + 1 : 1;

		p->blocks = mem_realloc_array(p->blocks, cap, sizeof(*p->blocks));
		lx->bytes += (cap - p->cap) * sizeof(*p->blocks);
		p->cap = cap;
	}
	b = &p->blocks[at];
	memmove(b + 1, b, (p->n - at) * sizeof(*b));
	*b = (struct block){.window = window, .cap = INLINE_MAX};
	p->n++;
	return b;
}

static void grow_block(struct search_lexical *lx, struct block *b)
{
	uint16_t cap = (uint16_t)(b->cap + b->cap / 2 + 1);
	uint32_t *items;

	if (b->n < b->cap)
		return;
	items = mem_realloc_array(b->cap > INLINE_MAX ? b->many : NULL, cap, sizeof(*items));
	if (b->cap <= INLINE_MAX)
		memcpy(items, b->few, sizeof(b->few));
	else
		lx->bytes -= b->cap * sizeof(*items);
	lx->bytes += cap * sizeof(*items);
	b->many = items;
	b->cap = cap;
}

static struct postings *postings_of(struct search_lexical *lx, uint32_t term)
{
	mem_grow(&lx->terms, &lx->cap, (size_t)term + 1, sizeof(*lx->terms));
	return &lx->terms[term];
}

static void put_posting(struct search_lexical *lx, uint32_t term, uint32_t document,
			uint32_t posting)
{
	struct postings *p = postings_of(lx, term);
	uint32_t window = document >> LOW_BITS, *items;
	size_t at = find_block(p, window), i;
	struct block *b;

	if (at == p->n || p->blocks[at].window != window)
		(void)add_block(lx, p, at, window);
	b = &p->blocks[at];
	i = find_place(entries(b), b->n, place_of(posting));
	if (i == b->n || place_of(entries(b)[i]) != place_of(posting)) {
		grow_block(lx, b);
		items = entries_of(b);
		memmove(items + i + 1, items + i, (b->n - i) * sizeof(*items));
		b->n++;
		p->documents++;
	}
	entries_of(b)[i] = posting;
	if (level_of(posting) > b->max) /* a bound: it need not be reached */
		b->max = level_of(posting);
}

static uint32_t quantise(double tf)
{
	double level = log(tf / TF_MIN) / log(TF_MAX / TF_MIN) * (LEVELS - 1);

	return level <= 0 ? 0 : level >= LEVELS - 1 ? LEVELS - 1 : (uint32_t)(level + 0.5);
}

/* Postings of a document's terms lie anywhere in memory: asked for together, they come together. */
static void prefetch(const struct search_lexical *lx, const struct search_occurrence *items,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].term < lx->cap)
			__builtin_prefetch(&lx->terms[items[i].term]);
	}
	for (size_t i = 0; i < n; i++) {
		const struct postings *p =
		    items[i].term < lx->cap ? &lx->terms[items[i].term] : NULL;

		if (p && p->n)
			__builtin_prefetch(&p->blocks[p->n - 1]);
	}
}

void search_lexical_put(struct search_lexical *lx, uint32_t document,
			const struct search_occurrence *items, size_t n, const uint32_t *lengths)
{
	double scale[SEARCH_FIELDS_MAX] = {0}; /* what one occurrence in a field is worth */

	for (size_t f = 0; f < lx->weights.n_fields; f++) {
		double b = lx->weights.fields[f].b, average = lx->weights.fields[f].average;

		scale[f] = lx->weights.fields[f].weight /
			   (1 - b + (average > 0 ? b * lengths[f] / average : b));
	}
	prefetch(lx, items, n);
	for (size_t i = 0; i < n;) {
		uint32_t term = items[i].term, fields = 0;
		double tf = 0;

		for (; i < n && items[i].term == term; i++) {
			tf += scale[items[i].field] * items[i].count / SEARCH_COUNT_WORD;
			fields |= 1U << items[i].field;
		}
		put_posting(lx, term, document,
			    document << (32 - LOW_BITS) | fields << LOW_BITS | quantise(tf));
	}
}

static void drop_block(struct search_lexical *lx, struct postings *p, size_t at)
{
	struct block *b = &p->blocks[at];

	if (b->cap > INLINE_MAX) {
		lx->bytes -= b->cap * sizeof(*b->many);
		mem_free(b->many);
	}
	memmove(b, b + 1, (p->n - at - 1) * sizeof(*b));
	p->n--;
}

static void remove_posting(struct search_lexical *lx, uint32_t term, uint32_t document)
{
	struct postings *p = term < lx->cap ? &lx->terms[term] : NULL;
	uint32_t window = document >> LOW_BITS, place = document & (SEARCH_WINDOW - 1), *items;
	size_t at = p ? find_block(p, window) : 0, i;
	struct block *b;

	if (!p || at == p->n || p->blocks[at].window != window)
		return;
	b = &p->blocks[at];
	items = entries_of(b);
	i = find_place(items, b->n, place);
	if (i == b->n || place_of(items[i]) != place)
		return;
	memmove(items + i, items + i + 1, (b->n - i - 1) * sizeof(*items));
	b->n--;
	p->documents--;
	if (!b->n)
		drop_block(lx, p, at);
}

void search_lexical_remove(struct search_lexical *lx, uint32_t document, const uint32_t *terms,
			   size_t n)
{
	for (size_t i = 0; i < n; i++)
		remove_posting(lx, terms[i], document);
}

uint32_t search_lexical_documents(const struct search_lexical *lx, uint32_t term)
{
	return term < lx->cap ? lx->terms[term].documents : 0;
}

/* --- reading --------------------------------------------------------------------------------- */

static const uint32_t *posting_of(const struct postings *p, uint32_t document)
{
	size_t at = p ? find_block(p, document >> LOW_BITS) : 0, i;
	const struct block *b;

	if (!p || at == p->n || p->blocks[at].window != document >> LOW_BITS)
		return NULL;
	b = &p->blocks[at];
	i = find_place(entries(b), b->n, document & (SEARCH_WINDOW - 1));
	return i < b->n && place_of(entries(b)[i]) == (document & (SEARCH_WINDOW - 1))
		   ? &entries(b)[i]
		   : NULL;
}

uint8_t search_lexical_fields(const struct search_lexical *lx, uint32_t term, uint32_t document)
{
	const uint32_t *posting = term < lx->cap ? posting_of(&lx->terms[term], document) : NULL;

	return posting ? fields_of(*posting) : 0;
}

/* --- marking --------------------------------------------------------------------------------- */

/* Neighbours are put together before they are stored. */
static void mark_block(const struct block *b, uint64_t *any)
{
	const uint32_t *items = entries(b);
	uint64_t bits = 0;
	size_t word = 0;

	for (size_t i = 0; i < b->n; i++) {
		uint32_t place = place_of(items[i]);

		if (place / 64 != word) {
			any[word] |= bits;
			bits = 0;
			word = place / 64;
		}
		bits |= UINT64_C(1) << (place % 64);
	}
	any[word] |= bits;
}

static const struct block *block_at(const struct search_lexical *lx, uint32_t term, uint32_t window)
{
	const struct postings *p = term < lx->cap ? &lx->terms[term] : NULL;
	size_t at = p ? find_block(p, window) : 0;

	return p && at < p->n && p->blocks[at].window == window ? &p->blocks[at] : NULL;
}

/* Of the documents in one window those that have all the terms. */
static void mark_window(const struct search_lexical *lx, const uint32_t *terms, size_t n,
			uint32_t window, uint64_t *all)
{
	memset(all, n ? 0xFF : 0, SEARCH_WINDOW / 8);
	for (size_t i = 0; i < n; i++) {
		uint64_t any[SEARCH_WINDOW_WORDS] = {0};
		const struct block *b = block_at(lx, terms[i], window);

		if (b)
			mark_block(b, any);
		for (size_t k = 0; k < SEARCH_WINDOW_WORDS; k++)
			all[k] &= any[k];
	}
}

void search_lexical_mark(const struct search_lexical *lx, const uint32_t *terms, size_t n,
			 uint64_t *bits, size_t words)
{
	for (uint32_t window = 0; (size_t)window * SEARCH_WINDOW_WORDS < words; window++) {
		size_t first = (size_t)window * SEARCH_WINDOW_WORDS;
		uint64_t all[SEARCH_WINDOW_WORDS];

		if (n && !block_at(lx, terms[0], window))
			continue;
		mark_window(lx, terms, n, window, all);
		for (size_t k = 0; k < SEARCH_WINDOW_WORDS && first + k < words; k++)
			bits[first + k] |= all[k];
	}
}

/* fmaxf() minds NaN, which there is none of, and is a call. */
static inline float larger(float a, float b)
{
	return a > b ? a : b;
}

/* --- asking ---------------------------------------------------------------------------------- */

struct cursor { /* of a term */
	const struct postings *postings;
	size_t at;
	float weight; /* idf, times that of its variant and clause */
};

struct walk_variant {
	struct cursor *cursors;
	size_t n;
	float weight; /* beside what was typed */
};

struct walk_clause {
	struct walk_variant *variants;
	size_t n;
	float weight; /* the most that it can give */
	float share;  /* of the query */
};

struct search_walk {
	const struct search_lexical *lx;
	struct walk_clause *clauses;
	size_t n;
	float total;
	uint8_t title;
	/* Of a window; zeros between clauses: what the best variant of a clause gives, what those
	 * terms of a variant that were looked at give. */
	struct search_scores *best;
	float *sum;
};

static float idf(uint32_t documents, uint64_t n)
{
	double of = documents > n ? documents : (double)n;

	return (float)log(1 + (of - (double)n + 0.5) / ((double)n + 0.5));
}

/* How much a clause says: as much as its first variant, which is what was typed, or else the best
 * known one. Variants of one term are one word to who asks: as rare as all of them together would
 * make a word that was typed count for less the more it is varied. */
static float weight_of(const struct search_lexical *lx, const struct search_scoring *s,
		       const struct search_clause *c)
{
	float sum = 0;

	if (!c->n)
		return 0;
	for (size_t i = 0; i < c->variants[0].n; i++)
		sum += idf(s->documents, search_lexical_documents(lx, c->variants[0].terms[i]));
	return c->weight * sum / (float)c->variants[0].n;
}

/* The terms of a variant share the weight of the clause, by how rare each is. */
static struct walk_variant start_variant(const struct search_walk *w,
					 const struct search_scoring *s, float weight,
					 const struct search_variant *v, struct arena *arena)
{
	size_t n = v->n < VARIANT_MAX ? v->n : VARIANT_MAX;
	struct walk_variant ret = {.cursors = arena_alloc(arena, (n + 1) * sizeof(*ret.cursors)),
				   .n = n,
				   .weight = v->weight};
	float sum = 0;

	for (size_t i = 0; i < n; i++) {
		ret.cursors[i].weight =
		    idf(s->documents, search_lexical_documents(w->lx, v->terms[i]));
		sum += ret.cursors[i].weight;
	}
	for (size_t i = 0; i < n; i++) {
		if (v->terms[i] < w->lx->cap)
			ret.cursors[i].postings = &w->lx->terms[v->terms[i]];
		ret.cursors[i].weight *= sum > 0 ? v->weight * weight / sum : 0;
	}
	return ret;
}

static float most_of(const struct walk_variant *v)
{
	float sum = 0;

	for (size_t i = 0; i < v->n; i++)
		sum += v->cursors[i].weight;
	return sum;
}

/* The usual clause: one term. */
static bool is_simple(const struct walk_clause *c)
{
	return c->n == 1 && c->variants[0].n == 1;
}

struct search_walk *search_walk_new(const struct search_lexical *lx, const struct search_scoring *s,
				    struct arena *arena)
{
	struct search_walk *w = arena_alloc(arena, sizeof(*w));
	bool has_several = false;

	w->lx = lx;
	w->title = s->title;
	w->clauses = arena_alloc(arena, (s->n + 1) * sizeof(*w->clauses));
	w->n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		const struct search_clause *c = &s->clauses[i];
		struct walk_clause *to = &w->clauses[i];
		float weight = weight_of(lx, s, c);

		to->variants = arena_alloc(arena, (c->n + 1) * sizeof(*to->variants));
		for (size_t k = 0; k < c->n; k++) {
			struct walk_variant v = start_variant(w, s, weight, &c->variants[k], arena);

			if (!v.n)
				continue;
			to->variants[to->n++] = v;
			to->weight = larger(to->weight, most_of(&v));
		}
		w->total += to->weight;
		has_several |= !is_simple(to);
	}
	for (size_t i = 0; i < w->n && w->total > 0; i++)
		w->clauses[i].share = w->clauses[i].weight / w->total;
	if (has_several) {
		w->best = arena_alloc(arena, SEARCH_WINDOW * sizeof(*w->best));
		w->sum = arena_alloc(arena, SEARCH_WINDOW * sizeof(*w->sum));
	}
	return w;
}

float search_walk_total(const struct search_walk *w)
{
	return w->total;
}

static const struct block *seek(struct cursor *c, uint32_t window)
{
	const struct postings *p = c->postings;

	if (!p)
		return NULL;
	while (c->at < p->n && p->blocks[c->at].window < window)
		c->at++;
	return c->at < p->n ? &p->blocks[c->at] : NULL;
}

static const struct block *block_in(struct cursor *c, uint32_t window)
{
	const struct block *b = seek(c, window);

	return b && b->window == window ? b : NULL;
}

/* The first window at or behind this one in which each term of the variant has a block. */
static uint32_t next_of(struct walk_variant *v, uint32_t window)
{
	for (size_t i = 0; i < v->n;) {
		const struct block *b = seek(&v->cursors[i], window);

		if (!b)
			return UINT32_MAX;
		if (b->window > window) {
			window = b->window;
			i = 0;
		} else {
			i++;
		}
	}
	return window;
}

uint32_t search_walk_next(struct search_walk *w, uint32_t window)
{
	uint32_t next = UINT32_MAX;

	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < w->clauses[i].n; k++) {
			uint32_t at = next_of(&w->clauses[i].variants[k], window);

			next = at < next ? at : next;
		}
	}
	return next;
}

static float bound_of(const struct search_walk *w, struct walk_variant *v, uint32_t window)
{
	float sum = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct block *b = block_in(&v->cursors[i], window);

		if (!b)
			return 0;
		sum += v->cursors[i].weight * w->lx->saturated[b->max];
	}
	return sum;
}

float search_walk_bound(struct search_walk *w, uint32_t window)
{
	float sum = 0;

	for (size_t i = 0; i < w->n; i++) {
		float best = 0;

		for (size_t k = 0; k < w->clauses[i].n; k++)
			best = larger(best, bound_of(w, &w->clauses[i].variants[k], window));
		sum += best;
	}
	return sum;
}

size_t search_walk_most(struct search_walk *w, uint32_t window, struct search_scores *ret)
{
	for (size_t i = 0; i < w->n; i++) {
		struct walk_clause *c = &w->clauses[i];

		ret[i] = (struct search_scores){0};
		for (size_t k = 0; k < c->n; k++) {
			float score = bound_of(w, &c->variants[k], window);

			ret[i].score = larger(ret[i].score, score);
			if (score > 0)
				ret[i].share =
				    larger(ret[i].share, c->share * c->variants[k].weight);
		}
		ret[i].titled = ret[i].share;
	}
	return w->n;
}

/* --- counting a window ----------------------------------------------------------------------- */

/* Those of the window that have all the terms of the variant; false: none. */
static bool mark_variant(struct walk_variant *v, uint32_t window, uint64_t *all)
{
	if (next_of(v, window) != window)
		return false;
	memset(all, 0xFF, SEARCH_WINDOW / 8);
	for (size_t i = 0; i < v->n; i++) {
		uint64_t these[SEARCH_WINDOW_WORDS] = {0};
		const struct block *b = block_in(&v->cursors[i], window);

		if (b)
			mark_block(b, these);
		for (size_t k = 0; k < SEARCH_WINDOW_WORDS; k++)
			all[k] &= these[k];
	}
	return true;
}

static void count_variant(struct walk_variant *v, uint32_t window, uint64_t *any)
{
	const struct block *b = v->n == 1 ? block_in(&v->cursors[0], window) : NULL;
	uint64_t all[SEARCH_WINDOW_WORDS];

	if (b) {
		mark_block(b, any);
	} else if (v->n > 1 && mark_variant(v, window, all)) {
		for (size_t k = 0; k < SEARCH_WINDOW_WORDS; k++)
			any[k] |= all[k];
	}
}

void search_walk_count(struct search_walk *w, uint32_t window, uint64_t *any)
{
	memset(any, 0, SEARCH_WINDOW / 8);
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < w->clauses[i].n; k++)
			count_variant(&w->clauses[i].variants[k], window, any);
	}
}

/* --- scoring a window ------------------------------------------------------------------------ */

typedef float float4 __attribute__((vector_size(sizeof(struct search_scores))));
typedef int32_t int4 __attribute__((vector_size(sizeof(struct search_scores))));

static inline float4 load(const struct search_scores *from)
{
	float4 ret;

	memcpy(&ret, from, sizeof(ret));
	return ret;
}

static inline void store(struct search_scores *to, float4 s)
{
	memcpy(to, &s, sizeof(s));
}

static inline float4 larger_of(float4 a, float4 b)
{
	int4 is_larger = a > b;

	return (float4)(((int4)a & is_larger) | ((int4)b & ~is_larger));
}

/* What a term gives but for its score: not in the title, in the title. */
struct gift {
	float4 by_place[2];
};

static struct gift gift_of(float share)
{
	return (struct gift){{{0, share, 0, 0}, {0, share, share, 0}}};
}

static inline float4 give(const struct search_walk *w, const struct gift *g, float weight,
			  uint32_t posting)
{
	float4 ret = g->by_place[(fields_of(posting) & w->title) != 0];

	ret[0] = weight * w->lx->saturated[level_of(posting)];
	return ret;
}

/* `only`: these documents; NULL: all. */
static void score_term(const struct search_walk *w, const struct walk_clause *c, uint32_t window,
		       const uint64_t *only, struct search_scores *ret)
{
	const struct walk_variant *v = &c->variants[0];
	const struct gift gift = gift_of(c->share * v->weight);
	const struct block *b = block_in(&v->cursors[0], window);
	const uint32_t *items = b ? entries(b) : NULL;

	for (size_t i = 0; b && i < b->n; i++) {
		struct search_scores *to = &ret[place_of(items[i])];

		if (only && !bits_has(only, place_of(items[i])))
			continue;
		store(to, load(to) + give(w, &gift, v->cursors[0].weight, items[i]));
	}
}

/* A variant of one term. */
static void take_best(struct search_walk *w, const struct walk_clause *c,
		      const struct walk_variant *v, uint32_t window)
{
	const struct gift gift = gift_of(c->share * v->weight);
	const struct block *b = block_in(&v->cursors[0], window);
	const uint32_t *items = b ? entries(b) : NULL;

	for (size_t i = 0; b && i < b->n; i++) {
		struct search_scores *best = &w->best[place_of(items[i])];

		store(best, larger_of(load(best), give(w, &gift, v->cursors[0].weight, items[i])));
	}
}

/* The documents of a block whose title has the term. */
static void mark_titles(const struct search_walk *w, const struct block *b, uint64_t *titles)
{
	const uint32_t *items = entries(b);
	uint64_t these[SEARCH_WINDOW_WORDS] = {0};

	for (size_t i = 0; i < b->n; i++)
		these[place_of(items[i]) / 64] |= (uint64_t)((fields_of(items[i]) & w->title) != 0)
						  << (place_of(items[i]) % 64);
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++)
		titles[i] &= these[i];
}

/* A variant of several terms, of which a document needs all. */
static void take_best_of_all(struct search_walk *w, const struct walk_clause *c,
			     struct walk_variant *v, uint32_t window)
{
	const struct gift gift = gift_of(c->share * v->weight);
	uint64_t all[SEARCH_WINDOW_WORDS], titles[SEARCH_WINDOW_WORDS];

	if (!mark_variant(v, window, all))
		return;
	memcpy(titles, all, sizeof(titles));
	for (size_t i = 0; i < v->n; i++) {
		const struct block *b = block_in(&v->cursors[i], window);
		const uint32_t *items = b ? entries(b) : NULL;

		if (!b)
			continue;
		mark_titles(w, b, titles);
		for (size_t k = 0; k < b->n; k++)
			w->sum[place_of(items[k])] +=
			    v->cursors[i].weight * w->lx->saturated[level_of(items[k])];
	}
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		for (uint64_t rest = all[i]; rest; rest &= rest - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(rest);
			struct search_scores *best = &w->best[i * 64 + bit];
			float4 s = gift.by_place[titles[i] >> bit & 1];

			s[0] = w->sum[i * 64 + bit];
			store(best, larger_of(load(best), s));
		}
	}
	memset(w->sum, 0, SEARCH_WINDOW * sizeof(*w->sum));
}

/* Several variants, or several terms of one. */
static void score_clause(struct search_walk *w, const struct walk_clause *c, uint32_t window,
			 const uint64_t *only, struct search_scores *ret)
{
	uint64_t any[SEARCH_WINDOW_WORDS] = {0};

	for (size_t k = 0; k < c->n; k++) {
		count_variant(&c->variants[k], window, any);
		if (c->variants[k].n == 1)
			take_best(w, c, &c->variants[k], window);
		else
			take_best_of_all(w, c, &c->variants[k], window);
	}
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		for (uint64_t rest = any[i]; rest; rest &= rest - 1) {
			size_t place = i * 64 + (size_t)__builtin_ctzll(rest);

			if (bits_has(only, place))
				store(&ret[place], load(&ret[place]) + load(&w->best[place]));
			w->best[place] = (struct search_scores){0};
		}
	}
}

static bool is_wanted(uint64_t wanted, size_t clause)
{
	return wanted >> clause & 1;
}

/* Those that have a clause that is wanted. */
static void mark_wanted(struct search_walk *w, uint32_t window, uint64_t wanted,
			struct search_window *ret)
{
	bool is_all = true;

	for (size_t i = 0; i < w->n; i++)
		is_all &= is_wanted(wanted, i);
	if (is_all) {
		memcpy(ret->scored, ret->any, sizeof(ret->scored));
		return;
	}
	memset(ret->scored, 0, sizeof(ret->scored));
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; is_wanted(wanted, i) && k < w->clauses[i].n; k++)
			count_variant(&w->clauses[i].variants[k], window, ret->scored);
	}
}

void search_walk_score(struct search_walk *w, uint32_t window, uint64_t wanted,
		       struct search_window *ret)
{
	search_walk_count(w, window, ret->any);
	mark_wanted(w, window, wanted, ret);
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		if (ret->scored[i])
			memset(&ret->at[i * 64], 0, 64 * sizeof(*ret->at));
	}
	for (size_t i = 0; i < w->n; i++) {
		if (is_simple(&w->clauses[i]))
			score_term(w, &w->clauses[i], window,
				   is_wanted(wanted, i) ? NULL : ret->scored, ret->at);
		else
			score_clause(w, &w->clauses[i], window, ret->scored, ret->at);
	}
}

/* --- explaining ------------------------------------------------------------------------------ */

static float explain_variant(const struct search_walk *w, const struct walk_variant *v,
			     uint32_t document)
{
	float sum = 0;

	for (size_t i = 0; i < v->n; i++) {
		const uint32_t *posting = posting_of(v->cursors[i].postings, document);

		if (!posting)
			return 0;
		sum += v->cursors[i].weight * w->lx->saturated[level_of(*posting)];
	}
	return sum;
}

void search_walk_explain(const struct search_walk *w, uint32_t document, float *scores)
{
	for (size_t i = 0; i < w->n; i++) {
		scores[i] = 0;
		for (size_t k = 0; k < w->clauses[i].n; k++)
			scores[i] = larger(
			    scores[i], explain_variant(w, &w->clauses[i].variants[k], document));
	}
}
