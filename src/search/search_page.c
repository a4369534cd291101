/*
 * From candidates to the page that is shown: see search_find.h.
 *
 * The meaning of the best that are not among the nearest is looked up, and they are put in order.
 * Variants of one thing are put together, where that is asked for, and records are read.
 */
#include "search/search_find_int.h"

#include "search/search_twins.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define RRF_K 60.0 /* of Cormack, Clarke, Buettcher, "Reciprocal rank fusion" */

/* --- order ----------------------------------------------------------------------------------- */

/* What is known of words only is completed, of the first `count` hits. */
static int add_meanings(struct finding *k, size_t count, struct err *err)
{
	const struct search_meanings *m = &k->f->meanings;
	uint32_t *numbers = arena_alloc(k->arena, (count + 1) * sizeof(*numbers));
	float *cosines = arena_alloc(k->arena, (count + 1) * sizeof(*cosines));
	size_t n = 0, at = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		if (!k->heap[i].has_meaning)
			numbers[n++] = k->heap[i].number;
	}
	r = n ? m->cosines(m->arg, m->query, numbers, n, cosines, err) : 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct candidate *c = &k->heap[i];

		if (!c->has_meaning)
			c->meaning = fmaxf(cosines[at++], 0);
		c->score = search_find_score(k, c);
		if (!k->sort)
			c->key = (double)c->score;
	}
	return r;
}

static int best_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return search_find_is_worse(x, y) ? 1 : search_find_is_worse(y, x) ? -1 : 0;
}

static int by_words(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->words < y->words || x->words > y->words)
		return x->words < y->words ? 1 : -1;
	return x->number < y->number ? -1 : 1;
}

static int by_meaning(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->meaning < y->meaning || x->meaning > y->meaning)
		return x->meaning < y->meaning ? 1 : -1;
	return x->number < y->number ? -1 : 1;
}

/* The sum of what the ranks among words and among meanings are worth; those behind the first
 * `count` keep their order. */
static void fuse_ranks(struct finding *k, size_t count)
{
	for (size_t i = 0; i < k->n; i++)
		k->heap[i].score = i < count ? 0 : (float)(1 / (RRF_K + 1 + (double)i));
	qsort(k->heap, count, sizeof(*k->heap), by_words);
	for (size_t i = 0; i < count && k->heap[i].words > 0; i++)
		k->heap[i].score += (float)(1 / (RRF_K + 1 + (double)i));
	qsort(k->heap, count, sizeof(*k->heap), by_meaning);
	for (size_t i = 0; i < count && k->heap[i].meaning > 0; i++)
		k->heap[i].score += (float)(1 / (RRF_K + 1 + (double)i));
	for (size_t i = 0; i < count; i++)
		k->heap[i].key = (double)k->heap[i].score;
}

/* Only the best by what is known so far are looked up and put in order again, however many are
 * asked for: so a hit has its place whatever page it is shown on. */
int search_page_order(struct finding *k, struct err *err)
{
	size_t count = k->n < SEARCH_HEAP_MIN ? k->n : SEARCH_HEAP_MIN;
	int r;

	qsort(k->heap, k->n, sizeof(*k->heap), best_first);
	if (!search_find_has_meaning(k))
		return 0;
	r = add_meanings(k, count, err);
	if (r < 0)
		return r;
	if (k->f->fusion == SEARCH_RRF && k->f->mode == SEARCH_HYBRID && !k->sort)
		fuse_ranks(k, count);
	qsort(k->heap, count, sizeof(*k->heap), best_first);
	return 0;
}

/* --- the page -------------------------------------------------------------------------------- */

static uint8_t fields_with_words(const struct finding *k, uint32_t number)
{
	uint8_t ret = 0;

	for (size_t i = 0; i < k->clauses.n; i++) {
		for (size_t v = 0; v < k->clauses.items[i].n; v++) {
			const struct search_variant *variant = &k->clauses.items[i].variants[v];

			for (size_t t = 0; t < variant->n; t++)
				ret |= search_lexical_fields(k->view.lexical, variant->terms[t],
							     number);
		}
	}
	return ret;
}

static struct str copy_key(const struct finding *k, uint32_t number)
{
	struct str key = search_corpus_key(k->f->corpus, number);

	return arena_str(k->arena, key);
}

static int show_hit(struct finding *k, const struct candidate *c, struct search_found *to,
		    struct err *err)
{
	float *clauses = NULL;
	int r;

	*to = (struct search_found){.number = c->number,
				    .key = copy_key(k, c->number),
				    .score = c->score,
				    .words = c->words,
				    .share = c->share,
				    .title = c->title,
				    .meaning = c->meaning,
				    .boost = c->boost,
				    .fields = fields_with_words(k, c->number)};
	r = search_corpus_record(k->f->corpus, c->number, k->arena, &to->record, err);
	to->opinion =
	    r == 0 ? search_corpus_infer(k->f->corpus, k->f->analyzer, &to->record) : (double)NAN;
	if (k->f->explain && k->walk) {
		clauses = arena_alloc(k->arena, (k->clauses.n + 1) * sizeof(*clauses));
		search_walk_explain(k->walk, c->number, clauses);
		to->clauses = clauses;
	}
	return r;
}

/* The best of each thing moves to the front; those behind the page are not looked at. */
static void fold(struct finding *k)
{
	size_t wanted = k->f->offset + k->f->limit, n = 0;
	struct candidate *shown = arena_alloc(k->arena, (wanted + 1) * sizeof(*shown));
	struct search_twins twins;
	_cleanup_(arena_done) struct arena scratch = {0};
	struct map by_title = {0};

	search_twins_init(&twins, &k->view, k->f->analyzer, k->arena);
	for (size_t i = 0; i < k->n && n < wanted; i++) {
		struct candidate *c = &k->heap[i];
		struct search_record record;
		const char *title = NULL;
		void **first = NULL;

		/* What cannot be read is another thing; who shows it tells so. */
		arena_clear(&scratch);
		if (search_corpus_record(k->f->corpus, c->number, &scratch, &record, NULL) == 0)
			title = search_twins_title(&twins, record.title);
		if (title)
			first = map_put(&by_title, str_from(title));
		if (first && *first) {
			c->variant_of = (uint32_t)(uintptr_t)*first;
			continue;
		}
		shown[n++] = *c;
		if (first)
			*first = (void *)(uintptr_t)n;
	}
	map_done(&by_title);
	search_twins_done(&twins);
	k->shown = shown;
	k->n_shown = n;
}

static void add_variants(struct finding *k, uint32_t place, struct search_found *to)
{
	struct str *keys;

	for (size_t i = 0; i < k->n; i++)
		to->n_variants += k->heap[i].variant_of == place;
	to->variants = keys = arena_alloc(k->arena, (to->n_variants + 1) * sizeof(*keys));
	for (size_t i = 0; i < k->n; i++) {
		if (k->heap[i].variant_of == place)
			*keys++ = copy_key(k, k->heap[i].number);
	}
}

int search_page_show(struct finding *k, struct err *err)
{
	struct search_results *ret = k->ret;
	size_t first, n;
	int r = 0;

	k->shown = k->heap;
	k->n_shown = k->n;
	if (k->f->collapse && k->view.rules->likeness.twin > 0)
		fold(k);
	first = k->f->offset < k->n_shown ? k->f->offset : k->n_shown;
	n = k->n_shown - first < k->f->limit ? k->n_shown - first : k->f->limit;
	ret->hits = arena_alloc(k->arena, (n + 1) * sizeof(*ret->hits));
	for (size_t i = 0; i < n && r == 0; i++) {
		r = show_hit(k, &k->shown[first + i], &ret->hits[i], err);
		if (k->f->collapse)
			add_variants(k, (uint32_t)(first + i + 1), &ret->hits[i]);
		ret->n += r == 0;
	}
	return r;
}
