/*
 * One query over one corpus: see search_find.h.
 *
 * Conditions become one bitmap of the documents that are allowed. The nearest by meaning are asked
 * for under it, and then the corpus is gone through once, a window of 4,096 documents at a time:
 * words are scored, hits counted, facets counted, and the best kept in a heap. Documents that
 * cannot come into a heap that is full are counted only. What becomes of the heap is in
 * search_page.c.
 */
#include "search/search_find_int.h"

#include "base/bits.h"
#include "base/clock.h"
#include "search/search_allowed.h"
#include "vector/vector.h"

#include <math.h>
#include <roaring/roaring.h>
#include <stdlib.h>

#include "base/banned.h"

#define ROUNDING   1e-5	 /* of sums of floats */
#define PHRASE_MAX 10000 /* documents that are read for phrases; beyond, all words will do */

/* --- conditions ------------------------------------------------------------------------------ */

static bool is_dropped(const struct finding *k, size_t constraint)
{
	return constraint < 32 && (k->dropped >> constraint & 1);
}

/* What the constraint is to this query. */
static enum search_ask ask_of(const struct finding *k, size_t constraint)
{
	if (constraint < 32 && (k->ret->softened >> constraint & 1))
		return SEARCH_ASK_BOOST;
	return k->f->understood->constraints[constraint].ask;
}

static const struct search_attribute *attribute_of(const struct finding *k, const char *name)
{
	for (size_t i = 0; i < k->view.rules->n_attributes; i++) {
		if (cstr_equal(k->view.rules->attributes[i].name, name))
			return &k->view.rules->attributes[i];
	}
	return NULL;
}

static bool says_kind(const struct finding *k, const struct search_constraint *c)
{
	const struct search_attribute *a = attribute_of(k, c->filter.attribute);

	return a && a->is_kind && c->keeps_words;
}

/*
 * "keyboard" alone asks for what keyboards are, and words say that better than a category, in which
 * some of them may not be: then it only lets those of the category come first. Beside another
 * condition, or in another order than by relevance, it is one: the cheapest keyboard is no key cap.
 */
static void soften(struct finding *k)
{
	const struct search_understood *u = k->f->understood;

	if (k->f->n_filters > k->f->n_scope || k->f->order.attribute || u->order.attribute)
		return;
	for (size_t i = 0; i < u->n_constraints; i++) {
		if (u->constraints[i].ask == SEARCH_ASK_FILTER &&
		    !says_kind(k, &u->constraints[i])) {
			k->ret->softened = 0;
			return;
		}
		if (u->constraints[i].ask == SEARCH_ASK_FILTER && i < 32)
			k->ret->softened |= 1U << i;
	}
}

static int apply(struct finding *k, const struct search_filter *f, const char *but, uint64_t *bits,
		 struct err *err)
{
	if (but && cstr_equal(f->attribute, but))
		return 0;
	return search_columns_filter(k->view.columns, f, bits, k->view.words, err);
}

static bool is_phrase_in(struct finding *k, uint32_t number, const struct search_tokens *phrase,
			 struct search_tokens *scratch)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_record r;
	bool found = false;

	if (search_corpus_record(k->f->corpus, number, &arena, &r, NULL) < 0)
		return false;
	for (size_t i = 0; i < k->view.rules->n_fields && !found; i++) {
		search_analyze(k->f->analyzer, r.texts[i], scratch);
		found = search_has_phrase(scratch, phrase);
	}
	return found;
}

/* Of the allowed documents that have all its words, those that have them in order. */
static void verify_sequence(struct finding *k, const struct search_sequence *s,
			    struct sequence_bits *b)
{
	struct search_tokens wanted = {0}, scratch = {0};

	search_analyze(k->f->analyzer, s->text, &wanted);
	for (size_t i = 0; i < k->view.words; i++) {
		for (uint64_t rest = b->has[i] & k->allowed[i] & ~b->known[i]; rest;
		     rest &= rest - 1) {
			uint32_t number = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest);

			if (k->n_read++ < PHRASE_MAX && !is_phrase_in(k, number, &wanted, &scratch))
				b->has[i] &= ~(rest & -rest);
		}
		b->known[i] |= k->allowed[i];
	}
	search_tokens_done(&wanted);
	search_tokens_done(&scratch);
}

/* Documents that have it; of those that are not allowed some that have not. */
static const uint64_t *find_sequence(struct finding *k, const struct search_sequence *s,
				     struct sequence_bits *b)
{
	size_t words = k->view.words;

	if (!b->has) {
		b->has = arena_alloc(k->arena, (words + 1) * sizeof(*b->has));
		b->known = arena_alloc(k->arena, (words + 1) * sizeof(*b->known));
		for (size_t i = 0; i < s->n; i++)
			search_lexical_mark(k->view.lexical, s->sets[i].terms, s->sets[i].n, b->has,
					    words);
	}
	if (s->has_order)
		verify_sequence(k, s, b);
	return b->has;
}

static void apply_words(struct finding *k)
{
	const struct search_clauses *c = &k->clauses;

	for (size_t i = 0; i < c->n_excluded; i++) {
		const uint64_t *bits = find_sequence(k, &c->excluded[i], &k->excluded[i]);

		for (size_t w = 0; w < k->view.words; w++)
			k->allowed[w] &= ~bits[w];
	}
	for (size_t i = 0; i < c->n_required; i++) {
		const uint64_t *bits = find_sequence(k, &c->required[i], &k->required[i]);

		for (size_t w = 0; w < k->view.words; w++)
			k->allowed[w] &= bits[w];
	}
}

/* Conditions, but not those on the attribute `but`. */
static int apply_filters(struct finding *k, const char *but, uint64_t *bits, struct err *err)
{
	const struct search_understood *u = k->f->understood;
	int r = 0;

	for (size_t i = 0; i < k->f->n_filters && r == 0; i++)
		r = apply(k, &k->f->filters[i], i < k->f->n_scope ? NULL : but, bits, err);
	for (size_t i = 0; i < u->n_constraints && r == 0; i++) {
		if (ask_of(k, i) == SEARCH_ASK_FILTER && !is_dropped(k, i))
			r = apply(k, &u->constraints[i].filter, but, bits, err);
	}
	return r;
}

static int make_allowed(struct finding *k, struct err *err)
{
	int r;

	k->allowed = search_allowed_new(&k->view, k->arena);
	r = apply_filters(k, NULL, k->allowed, err);
	if (r == 0)
		apply_words(k);
	k->n_allowed = search_allowed_count(&k->view, k->allowed);
	return r;
}

static int make_boosts(struct finding *k, struct err *err)
{
	const struct search_understood *u = k->f->understood;
	int r = 0;

	search_boosts_init(&k->boosts, &k->view, u->n_constraints, k->arena);
	for (size_t i = 0; i < u->n_constraints && r == 0; i++) {
		const struct search_filter *f = &u->constraints[i].filter;
		const struct search_attribute *a = attribute_of(k, f->attribute);

		if (ask_of(k, i) == SEARCH_ASK_BOOST)
			r = search_boosts_add(&k->boosts, f, a ? a->boost : 1, err);
	}
	return r < 0 ? r : search_boosts_prefer(&k->boosts, err);
}

/* --- facets ---------------------------------------------------------------------------------- */

static bool is_filtered_by(const struct finding *k, const char *attribute)
{
	const struct search_understood *u = k->f->understood;

	for (size_t i = k->f->n_scope; i < k->f->n_filters; i++) {
		if (cstr_equal(k->f->filters[i].attribute, attribute))
			return true;
	}
	for (size_t i = 0; i < u->n_constraints; i++) {
		if (ask_of(k, i) == SEARCH_ASK_FILTER && !is_dropped(k, i) &&
		    cstr_equal(u->constraints[i].filter.attribute, attribute))
			return true;
	}
	return false;
}

/* An attribute that is filtered by shows what else could be chosen. */
static int add_facet(struct finding *k, const char *attribute, struct err *err)
{
	struct facet_count *c = &k->facets[k->n_facets];
	uint64_t *all;
	int r;

	if (k->n_facets == SEARCH_FACETS_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "more than %d facets", SEARCH_FACETS_MAX);
	*c = (struct facet_count){.attribute = attribute};
	r = search_counter_new(k->view.columns, attribute, k->arena, &c->counter, err);
	if (r < 0)
		return r;
	k->n_facets++;
	if (!is_filtered_by(k, attribute))
		return 0;
	all = k->allowed;
	k->allowed = c->allowed = search_allowed_new(&k->view, k->arena);
	r = apply_filters(k, attribute, c->allowed, err);
	if (r == 0)
		apply_words(k);
	k->allowed = all;
	return r;
}

static int make_facets(struct finding *k, struct err *err)
{
	const struct search_collection *rules = k->view.rules;
	int r = 0;

	k->n_facets = 0;
	for (size_t i = 0; k->f->facets && i < k->f->n_facets && r == 0; i++)
		r = add_facet(k, k->f->facets[i], err);
	for (size_t i = 0; !k->f->facets && i < rules->n_attributes && r == 0; i++) {
		if (rules->attributes[i].has_facet)
			r = add_facet(k, rules->attributes[i].name, err);
	}
	return r;
}

static void end_facets(struct finding *k)
{
	struct search_results *ret = k->ret;

	ret->facets = arena_alloc(k->arena, (k->n_facets + 1) * sizeof(*ret->facets));
	ret->n_facets = k->n_facets;
	for (size_t i = 0; i < k->n_facets; i++) {
		struct search_facet_found *to = &ret->facets[i];

		const struct search_attribute *a = attribute_of(k, k->facets[i].attribute);

		to->attribute = to->title = k->facets[i].attribute;
		if (a) {
			to->title = a->title;
			to->unit = a->unit;
		}
		to->n = search_counter_result(k->facets[i].counter, SEARCH_FACET_VALUES, k->arena,
					      &to->values, &to->min, &to->max);
	}
}

/* --- the nearest ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct vector_hit *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Those of the set that are near enough to be hits, best first. */
static int find_near(struct finding *k, const uint64_t *allowed, uint32_t n_allowed,
		     struct vector_hit *ret, size_t *ret_n, struct err *err)
{
	const struct search_meanings *m = &k->f->meanings;
	roaring_bitmap_t *filter = NULL;
	size_t n = 0;
	int r;

	*ret_n = 0;
	if (!search_find_has_meaning(k) || !n_allowed)
		return 0;
	if (n_allowed < k->view.documents)
		filter = search_allowed_bitmap(&k->view, allowed);
	r = m->nearest(m->arg, m->query, filter, SEARCH_NEAR, ret, &n, err);
	if (filter)
		roaring_bitmap_free(filter);
	/* A vector may be there before or after its document. */
	for (size_t i = 0; i < n && r == 0; i++) {
		if ((double)ret[i].score >= k->ranking->nearest &&
		    search_allowed_has(&k->view, allowed, ret[i].id))
			ret[(*ret_n)++] = ret[i];
	}
	return r;
}

/* Of each facet with a set of its own, those that are hits by meaning there. */
static int find_facets_near(struct finding *k, struct err *err)
{
	struct vector_hit near[SEARCH_NEAR];
	size_t n = 0;
	int r = 0;

	k->has_facets_near = false;
	for (size_t i = 0; i < k->n_facets && r == 0; i++) {
		struct facet_count *c = &k->facets[i];

		if (!c->allowed || !search_find_has_meaning(k))
			continue;
		r = find_near(k, c->allowed, search_allowed_count(&k->view, c->allowed), near, &n,
			      err);
		c->near = arena_alloc(k->arena, (k->view.words + 1) * sizeof(*c->near));
		k->has_facets_near |= n > 0;
		for (size_t h = 0; h < n && r == 0; h++)
			bits_set(c->near, near[h].id);
	}
	return r;
}

/* Those that are allowed and near enough to be hits. */
static int find_nearest(struct finding *k, struct err *err)
{
	int r;

	k->at_near = 0;
	k->near = arena_alloc(k->arena, SEARCH_NEAR * sizeof(*k->near));
	r = find_near(k, k->allowed, k->n_allowed, k->near, &k->n_near, err);
	if (r == 0 && k->n_near)
		qsort(k->near, k->n_near, sizeof(*k->near), by_number);
	return r == 0 ? find_facets_near(k, err) : r;
}

/* --- candidates ------------------------------------------------------------------------------ */

/* Meaning speaks for what the words leave open: who has all of the query is known to be meant, and
 * a cosine puts what is written like the query before what is asked for. */
float search_find_score(const struct finding *k, const struct candidate *c)
{
	const struct search_ranking *w = k->ranking;
	float score = (float)w->boost * c->boost;

	if (k->f->mode == SEARCH_VECTOR)
		return score + c->meaning;
	score += (float)w->words * c->words + (float)w->share * c->share * c->share +
		 (float)w->title * c->title * c->title;
	if (k->f->mode == SEARCH_HYBRID)
		score += (float)w->meaning * c->meaning * (1 - c->share);
	return score;
}

/* Better ones of the same key come with the lower number: the order is the same on each page. */
bool search_find_is_worse(const struct candidate *a, const struct candidate *b)
{
	if (a->key < b->key || a->key > b->key)
		return a->key < b->key;
	if (a->score < b->score || a->score > b->score)
		return a->score < b->score;
	return a->number > b->number;
}

static void sift_down(struct candidate *heap, size_t n, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		struct candidate swap = heap[at];

		if (child + 1 < n && search_find_is_worse(&heap[child + 1], &heap[child]))
			child++;
		if (!search_find_is_worse(&heap[child], &heap[at]))
			return;
		heap[at] = heap[child];
		heap[child] = swap;
	}
}

static void sift_up(struct candidate *heap, size_t at)
{
	while (at && search_find_is_worse(&heap[at], &heap[(at - 1) / 2])) {
		struct candidate swap = heap[at];

		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = swap;
		at = (at - 1) / 2;
	}
}

static void keep(struct finding *k, const struct candidate *c)
{
	if (k->n < k->cap) {
		k->heap[k->n] = *c;
		sift_up(k->heap, k->n++);
	} else if (search_find_is_worse(&k->heap[0], c)) {
		k->heap[0] = *c;
		sift_down(k->heap, k->n, 0);
	}
}

static void offer(struct finding *k, uint32_t number, float cosine, const struct search_window *w)
{
	uint32_t place = number % SEARCH_WINDOW;
	struct candidate c = {.number = number};

	if (w && bits_has(w->any, place)) {
		c.words = w->at[place].score / k->total;
		c.share = w->at[place].share;
		c.title = w->at[place].titled;
	}
	c.has_meaning = cosine > 0;
	c.meaning = cosine > 0 ? cosine : 0;
	if (!k->sort && k->n == k->cap) {
		c.boost = k->boosts.most;
		if ((double)search_find_score(k, &c) * (1 + ROUNDING) < (double)k->heap[0].score)
			return;
	}
	c.boost = search_boosts_of(&k->boosts, number);
	c.score = search_find_score(k, &c);
	c.key = k->sort ? search_sort_key(k->sort, number) : (double)c.score;
	keep(k, &c);
}

/* --- windows --------------------------------------------------------------------------------- */

/* The nearest that are in the window: their bits, and a cosine for each bit. */
static size_t near_in(struct finding *k, uint32_t window, uint64_t *bits)
{
	size_t first = k->at_near;

	while (k->at_near < k->n_near && k->near[k->at_near].id / SEARCH_WINDOW == window) {
		uint32_t place = k->near[k->at_near++].id % SEARCH_WINDOW;

		bits_set(bits, place);
	}
	return first;
}

/* Who is counted, by which answers tell of documents that they do not show. */
static void note_matched(struct finding *k, uint32_t window, const uint64_t *counted)
{
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		for (uint64_t rest = counted[i]; rest; rest &= rest - 1) {
			if (k->ret->n_matched++ < k->f->matched_max)
				k->matched[k->ret->n_matched - 1] = window * SEARCH_WINDOW +
								    (uint32_t)(i * 64) +
								    (uint32_t)__builtin_ctzll(rest);
		}
	}
}

static void list_matched(struct finding *k)
{
	struct search_results *ret = k->ret;

	if (ret->n_matched > k->f->matched_max)
		return;
	ret->matched = arena_alloc(k->arena, (ret->n_matched + 1) * sizeof(*ret->matched));
	for (size_t i = 0; i < ret->n_matched; i++)
		ret->matched[i] =
		    arena_str(k->arena, search_corpus_key(k->f->corpus, k->matched[i]));
}

/* Sets `k->places`. */
static void count_window(struct finding *k, uint32_t window, const uint64_t *hits,
			 const uint64_t *found)
{
	size_t first = (size_t)window * SEARCH_WINDOW_WORDS;
	uint64_t counted[SEARCH_WINDOW_WORDS]; /* only where somebody asks for it */

	if (k->f->matched_max)
		memcpy(counted, hits, sizeof(counted));
	k->n_places = search_places(hits, k->places);
	k->ret->total += k->n_places;
	for (size_t i = 0; i < k->n_facets; i++) {
		const uint64_t *allowed = k->facets[i].allowed, *near = k->facets[i].near;
		uint64_t mine[SEARCH_WINDOW_WORDS];
		uint16_t places[SEARCH_WINDOW];

		if (!allowed) {
			search_counter_add(k->facets[i].counter, window, k->places, k->n_places);
			continue;
		}
		for (size_t b = 0; b < SEARCH_WINDOW_WORDS; b++)
			mine[b] =
			    first + b < k->view.words
				? (found[b] | (near ? near[first + b] : 0)) & allowed[first + b]
				: 0;
		for (size_t b = 0; k->f->matched_max && b < SEARCH_WINDOW_WORDS; b++)
			counted[b] |= mine[b];
		search_counter_add(k->facets[i].counter, window, places,
				   search_places(mine, places));
	}
	if (k->f->matched_max)
		note_matched(k, window, counted);
}

/* What a document may be worth that has these clauses and no others. */
static double worth(const struct finding *k, const struct search_scores *sum)
{
	const struct search_ranking *w = k->ranking;
	double share = (double)sum->share,
	       score = k->total > 0 ? (double)(sum->score / k->total) : 0;

	return (w->words * score + (w->share + w->title) * share * share +
		w->boost * (double)k->boosts.most) *
	       (1 + ROUNDING);
}

static int least_first(const void *a, const void *b)
{
	const struct search_scores *x = *(const struct search_scores *const *)a,
				   *y = *(const struct search_scores *const *)b;

	return (x->score > y->score) - (x->score < y->score);
}

/*
 * The clauses, as bits, of which a document of the window needs one to come into the heap: those
 * that say least are left out as long as all of them together are not worth enough. UINT64_MAX: any
 * document may come into it, 0: none.
 */
static uint64_t wanted_in(struct finding *k, uint32_t window, bool has_near)
{
	struct search_scores most[SEARCH_CLAUSES_MAX], sum = {0};
	const struct search_scores *order[SEARCH_CLAUSES_MAX];
	uint64_t wanted = 0;
	size_t n, at = 0;

	if (k->n < k->cap || k->sort || has_near)
		return UINT64_MAX;
	n = k->walk && k->f->mode != SEARCH_VECTOR ? search_walk_most(k->walk, window, most) : 0;
	for (size_t i = 0; i < n; i++)
		order[i] = &most[i];
	if (n)
		qsort(order, n, sizeof(*order), least_first);
	if (worth(k, &sum) >= (double)k->heap[0].score)
		return UINT64_MAX;
	for (; at < n; at++) {
		sum.score += order[at]->score;
		sum.share += order[at]->share;
		if (worth(k, &sum) >= (double)k->heap[0].score)
			break;
	}
	for (; at < n; at++)
		wanted |= UINT64_C(1) << (order[at] - most);
	return wanted;
}

/* `only`: these of them; NULL: all. */
static void offer_window(struct finding *k, uint32_t window, size_t near, const uint64_t *only,
			 const struct search_window *w)
{
	for (size_t i = 0; i < k->n_places; i++) {
		uint32_t place = k->places[i], number = window * SEARCH_WINDOW + place;
		float cosine = 0;

		if (only && !bits_has(only, place))
			continue;
		while (near < k->at_near && k->near[near].id < number)
			near++;
		if (near < k->at_near && k->near[near].id == number)
			cosine = k->near[near].score;
		offer(k, number, cosine, w);
	}
}

static void count_by_meaning(struct finding *k, const uint64_t *hits, const uint64_t *by_words)
{
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++)
		k->ret->by_meaning +=
		    (uint32_t)__builtin_popcountll(hits[i] & ~(by_words ? by_words[i] : 0));
}

static void go_through_window(struct finding *k, uint32_t window)
{
	size_t first = (size_t)window * SEARCH_WINDOW_WORDS, near;
	uint64_t found[SEARCH_WINDOW_WORDS] = {0}, hits[SEARCH_WINDOW_WORDS] = {0};
	bool has_words = k->walk && k->f->mode != SEARCH_VECTOR;
	uint64_t wanted;

	near = near_in(k, window, found);
	wanted = wanted_in(k, window, near < k->at_near);
	if (has_words && wanted)
		search_walk_score(k->walk, window, wanted, k->window);
	else if (has_words)
		search_walk_count(k->walk, window, k->window->any);
	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		if (has_words)
			found[i] |= k->window->any[i];
		if (k->is_satisfied)
			found[i] = UINT64_MAX;
		hits[i] = first + i < k->view.words ? found[i] & k->allowed[first + i] : 0;
	}
	count_window(k, window, hits, found);
	if (!k->is_satisfied)
		count_by_meaning(k, hits, has_words ? k->window->any : NULL);
	k->ret->scored += wanted != 0;
	if (wanted)
		offer_window(k, window, near, wanted == UINT64_MAX ? NULL : k->window->scored,
			     has_words ? k->window : NULL);
}

/* The next window in which there may be a hit. */
static uint32_t next_window(struct finding *k, uint32_t window)
{
	uint32_t next = UINT32_MAX;

	if (k->is_satisfied || k->has_facets_near)
		return window;
	if (k->walk && k->f->mode != SEARCH_VECTOR)
		next = search_walk_next(k->walk, window);
	if (k->at_near < k->n_near && k->near[k->at_near].id / SEARCH_WINDOW < next)
		next = k->near[k->at_near].id / SEARCH_WINDOW;
	return next;
}

static void go_through(struct finding *k)
{
	uint32_t n = (uint32_t)((k->view.words + SEARCH_WINDOW_WORDS - 1) / SEARCH_WINDOW_WORDS);

	k->window = arena_alloc(k->arena, sizeof(*k->window));
	k->places = arena_alloc(k->arena, SEARCH_WINDOW * sizeof(*k->places));
	for (uint32_t i = 0; i < n; i++) {
		i = next_window(k, i);
		if (i >= n)
			break;
		k->ret->windows++;
		go_through_window(k, i);
	}
}

/* --- one query ------------------------------------------------------------------------------- */

static int start_sort(struct finding *k, struct err *err)
{
	struct search_order order = k->f->order;

	if (!order.attribute)
		order = k->f->understood->order;
	k->sort = NULL;
	return order.attribute
		   ? search_sort_keys_new(k->view.columns, &order, k->arena, &k->sort, err)
		   : 0;
}

static void start_walk(struct finding *k)
{
	struct search_scoring s = {.clauses = k->clauses.items,
				   .n = k->clauses.n,
				   .documents = k->view.documents,
				   .title = 1};

	k->walk = s.n ? search_walk_new(k->view.lexical, &s, k->arena) : NULL;
	k->total = k->walk ? search_walk_total(k->walk) : 0;
}

/* "keyboard" in "keyboards under $100" is a condition and a word: who fulfils it need not have it.
 */
static bool is_condition(const struct finding *k, const struct search_span *span)
{
	const struct search_understood *u = k->f->understood;

	for (size_t i = 0; i < u->n_constraints; i++) {
		const struct search_constraint *c = &u->constraints[i];

		if (ask_of(k, i) == SEARCH_ASK_FILTER && c->keeps_words && !is_dropped(k, i) &&
		    c->span.start <= span->start && span->end <= c->span.end)
			return true;
	}
	return false;
}

static bool has_only_conditions(const struct finding *k)
{
	const struct search_understood *u = k->f->understood;

	if (!k->walk)
		return !search_find_has_meaning(k);
	for (size_t i = 0; i < u->n_phrases; i++) {
		if (!u->phrases[i].is_excluded && !is_condition(k, &u->phrases[i].span))
			return false;
	}
	return true;
}

/* With the constraints that are not dropped. */
static int run(struct finding *k, struct err *err)
{
	struct search_times *t = &k->ret->times;
	int64_t since = clock_monotonic_us(), now;
	int r = make_allowed(k, err);

	if (r == 0)
		r = make_facets(k, err);
	now = clock_monotonic_us();
	t->filter += now - since;
	since = now;
	if (r == 0)
		r = find_nearest(k, err);
	now = clock_monotonic_us();
	t->nearest += now - since;
	if (r < 0)
		return r;
	start_walk(k);
	k->is_satisfied = has_only_conditions(k);
	k->n = 0;
	k->ret->total = k->ret->n_matched = 0;
	k->ret->windows = k->ret->scored = k->ret->by_meaning = 0;
	go_through(k);
	t->walk += clock_monotonic_us() - now;
	k->ret->allowed = k->n_allowed;
	return 0;
}

/* The least certain condition of those that were understood, of those that are left. */
static bool drop_constraint(struct finding *k)
{
	const struct search_understood *u = k->f->understood;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < u->n_constraints && i < 32; i++) {
		if (ask_of(k, i) != SEARCH_ASK_FILTER || is_dropped(k, i))
			continue;
		if (least == SIZE_MAX ||
		    u->constraints[i].certainty < u->constraints[least].certainty)
			least = i;
	}
	if (least == SIZE_MAX)
		return false;
	k->dropped |= 1U << least;
	return true;
}

static void list_terms(struct finding *k)
{
	struct search_results *ret = k->ret;
	size_t n = 0;

	for (size_t i = 0; i < k->clauses.n; i++) {
		for (size_t v = 0; v < k->clauses.items[i].n; v++)
			n += k->clauses.items[i].variants[v].n;
	}
	ret->terms = arena_alloc(k->arena, (n + 1) * sizeof(*ret->terms));
	for (size_t i = 0; i < k->clauses.n; i++) {
		const struct search_clause *c = &k->clauses.items[i];

		for (size_t v = 0; v < c->n; v++) {
			for (size_t t = 0; t < c->variants[v].n; t++) {
				struct str s =
				    search_terms_text(k->view.terms, c->variants[v].terms[t]);

				ret->terms[ret->n_terms++] = arena_str(k->arena, s);
			}
		}
	}
}

/* What was given up before the one that mattered. */
static int take_back(struct finding *k, struct err *err)
{
	uint32_t dropped = k->dropped;
	int r = 0;

	for (size_t i = 0; i < 32 && r == 0; i++) {
		if (!(dropped >> i & 1) || dropped == 1U << i)
			continue;
		k->dropped = dropped & ~(1U << i);
		r = run(k, err);
		if (k->ret->total)
			dropped = k->dropped;
	}
	if (r == 0 && k->dropped != dropped) {
		k->dropped = dropped;
		r = run(k, err);
	}
	return r;
}

static int find(struct finding *k, struct err *err)
{
	int64_t since;
	int r = start_sort(k, err);

	search_clauses_make(&k->view, k->f, k->arena, &k->clauses);
	k->ret->used = arena_alloc(k->arena, (k->clauses.n + 1) * sizeof(*k->ret->used));
	memcpy(k->ret->used, k->clauses.used, k->clauses.n * sizeof(*k->ret->used));
	k->ret->n_used = k->clauses.n;
	list_terms(k);
	soften(k);
	if (r == 0)
		r = make_boosts(k, err);
	do {
		if (r == 0)
			r = run(k, err);
	} while (r == 0 && !k->ret->total && drop_constraint(k));
	if (r == 0 && !k->ret->total && k->dropped) { /* it was not because of them */
		k->dropped = 0;
		r = run(k, err);
	}
	if (r == 0 && k->ret->total)
		r = take_back(k, err);
	k->ret->relaxed = k->dropped;
	k->ret->has_loose_phrase = k->n_read > PHRASE_MAX;
	since = clock_monotonic_us();
	if (r == 0)
		r = search_page_order(k, err);
	if (r < 0)
		return r;
	end_facets(k);
	list_matched(k);
	r = search_page_show(k, err);
	k->ret->times.finish = clock_monotonic_us() - since;
	return r;
}

int search_find(const struct search_find *f, struct arena *arena, struct search_results *ret,
		struct err *err)
{
	struct finding *k = arena_alloc(arena, sizeof(*k));
	int r;

	*ret = (struct search_results){0};
	k->f = f;
	k->arena = arena;
	k->ret = ret;
	k->cap = f->offset + f->limit + (f->collapse ? SEARCH_FOLD_MAX : 0);
	if (!k->cap || (search_find_has_meaning(k) && k->cap < SEARCH_HEAP_MIN))
		k->cap = SEARCH_HEAP_MIN;
	k->heap = arena_alloc(arena, k->cap * sizeof(*k->heap));
	k->matched = arena_alloc(arena, (f->matched_max + 1) * sizeof(*k->matched));
	search_corpus_lock(f->corpus);
	search_corpus_view(f->corpus, &k->view);
	k->ranking = f->ranking ? f->ranking : &k->view.rules->ranking;
	r = find(k, err);
	search_corpus_unlock(f->corpus);
	return r;
}
