/*
 * Queries of the engine (search_engine.h): understood, embedded, found, answered.
 *
 * The query is embedded before the corpus is locked, by the model of the generation that answers.
 * When that fails, or there are no vectors yet, words alone answer, and a note says why.
 */
#include "search/search_engine_int.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "search/search_answer.h"
#include "vector/vector.h"

#include "base/banned.h"

#define REST_US 5000000 /* of a provider that failed */

/* --- analyzers ------------------------------------------------------------------------------- */

static int take_analyzer(struct search_engine *e, struct search_analyzer **ret, struct err *err)
{
	*ret = NULL;
	pthread_mutex_lock(&e->mutex);
	if (e->n_analyzers)
		*ret = e->analyzers[--e->n_analyzers];
	pthread_mutex_unlock(&e->mutex);
	return *ret ? 0 : search_analyzer_new(SEARCH_LANGUAGE, ret, err);
}

static void put_analyzer(struct search_engine *e, struct search_analyzer *a)
{
	pthread_mutex_lock(&e->mutex);
	if (e->n_analyzers < SEARCH_ANALYZERS_MAX) {
		e->analyzers[e->n_analyzers++] = a;
		a = NULL;
	}
	pthread_mutex_unlock(&e->mutex);
	search_analyzer_free(a);
}

/* --- a query --------------------------------------------------------------------------------- */

void search_desk_close(struct search_desk *d)
{
	if (d->analyzer)
		put_analyzer(d->e, d->analyzer);
	if (d->generation)
		search_engine_drop_ref(d->e, d->generation);
	if (d->lent.corpus)
		search_words_return(d->e->words, &d->lent);
	arena_done(&d->arena);
}

int search_desk_open(struct search_engine *e, const char *in, struct search_desk *d,
		     struct err *err)
{
	struct search_words *words = search_engine_words(e);
	int r =
	    words ? search_words_lend(words, in, &d->lent, err) : search_engine_not_there(e, err);

	d->e = e;
	if (r < 0)
		return r;
	d->generation = search_engine_take_ref(e);
	return take_analyzer(e, &d->analyzer, err);
}

int search_engine_is_personal(struct search_engine *e, const char *in, bool *ret, struct err *err)
{
	struct search_words *words = search_engine_words(e);
	struct search_lent lent = {0};
	int r = words ? search_words_lend(words, in, &lent, err) : search_engine_not_there(e, err);

	if (r == 0)
		*ret = search_rules_is_personal(lent.rules);
	if (lent.corpus)
		search_words_return(words, &lent);
	return r;
}

struct asking {
	struct search_desk *d;
	const struct search_request *q;
	struct search_filter *filters;
	size_t n_filters;
	struct search_understood understood;
	struct search_find find;
	struct search_results results;
	struct search_answer answer;
	const char *wrong;
};

static int nearest(void *arg, const float *query, const struct roaring_bitmap_s *filter, size_t k,
		   struct vector_hit *ret, size_t *ret_n, struct err *err)
{
	struct asking *a = arg;
	struct search_nearest q = {
	    .collection = a->d->lent.rules->name, .vector = query, .k = k, .filter = filter};

	return search_index_nearest(a->d->generation->index, &q, ret, ret_n, err);
}

static int cosines(void *arg, const float *query, const uint32_t *numbers, size_t n, float *ret,
		   struct err *err)
{
	struct asking *a = arg;

	return search_index_cosines(a->d->generation->index, a->d->lent.rules->name, query, numbers,
				    n, ret, err);
}

static int read_mode(struct asking *a, struct err *err)
{
	static const char *const modes[] = {"hybrid", "lexical", "vector", NULL};
	const char *mode = a->q->mode ? a->q->mode : modes[0];
	size_t i = 0;

	while (modes[i] && !cstr_equal(modes[i], mode))
		i++;
	if (!modes[i]) {
		a->wrong = "mode";
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the mode \"%s\" is none of hybrid, lexical and vector", mode);
	}
	a->find.mode = (enum search_mode)i;
	a->answer.mode = modes[i];
	a->find.fusion = a->q->fusion && cstr_equal(a->q->fusion, "rrf") ? SEARCH_RRF : SEARCH_SUM;
	return 0;
}

static int add_filter(struct asking *a, const char *text, struct err *err)
{
	int r = search_filter_parse(str_from(text), &a->d->arena, &a->filters[a->n_filters], err);

	if (r < 0)
		a->wrong = "filter";
	else
		a->n_filters++;
	return r;
}

static int read_filters(struct asking *a, struct err *err)
{
	const struct search_scope *scope = a->d->lent.scope;
	size_t n = a->q->n_filters + (scope ? scope->n_filters : 0);
	int r = 0;

	if (a->q->n_filters > SEARCH_FILTERS_MAX) {
		a->wrong = "filter";
		return err_set(err, ERR_INVALID_ARGUMENT, "more than %d filters",
			       SEARCH_FILTERS_MAX);
	}
	a->filters = arena_alloc(&a->d->arena, (n + 1) * sizeof(*a->filters));
	for (size_t i = 0; scope && i < scope->n_filters && r == 0; i++)
		r = add_filter(a, scope->filters[i], err);
	a->find.n_scope = a->n_filters;
	for (size_t i = 0; i < a->q->n_filters && r == 0; i++)
		r = add_filter(a, a->q->filters[i], err);
	if (r == 0 && a->q->sort) {
		r = search_order_parse(str_from(a->q->sort), &a->d->arena, &a->find.order, err);
		a->wrong = r < 0 ? "sort" : NULL;
	}
	return r;
}

/* Which of what was given names what is not there, or is of another type. */
static int check_names(struct asking *a, struct err *err)
{
	const struct search_find *f = &a->find;
	const struct search_sort_keys *unused;
	struct search_corpus_view view;
	const char *wrong = NULL;
	int r = 0;

	search_corpus_lock(a->d->lent.corpus);
	search_corpus_view(a->d->lent.corpus, &view);
	for (size_t i = 0; i < a->n_filters && r == 0; i++) {
		r = search_columns_filter(view.columns, &a->filters[i], NULL, 0, err);
		wrong = "filter";
	}
	for (size_t i = 0; i < f->n_facets && r == 0; i++) {
		r = search_columns_find(view.columns, f->facets[i], err) ? 0
									 : -ERR_INVALID_ARGUMENT;
		wrong = "facets";
	}
	if (r == 0 && f->order.attribute) {
		r = search_sort_keys_new(view.columns, &f->order, &a->d->arena, &unused, err);
		wrong = "sort";
	}
	search_corpus_unlock(a->d->lent.corpus);
	a->wrong = r < 0 ? wrong : NULL;
	return r;
}

static void understand(struct asking *a)
{
	struct search_understanding how = {.without = a->q->without,
					   .only_words = a->q->is_literal};
	int64_t since = clock_monotonic_us();

	search_query_understand(a->d->lent.vocabulary, a->q->query, &how, &a->d->arena,
				&a->understood);
	a->answer.parse_us = clock_monotonic_us() - since;
}

/* A provider that does not answer is not asked again at once: each who waits for it holds up a
 * thread that others wait for. */
static int embed_text(struct asking *a, struct str text, struct err *err)
{
	struct search_engine *e = a->d->e;
	struct generation *g = a->d->generation;
	const struct embedder_info *info;
	float *vector;
	int r;

	if (!g)
		return search_engine_not_there(e, err);
	if (!search_index_has(g->index, a->d->lent.rules->name,
			      search_corpus_space(a->d->lent.corpus)))
		return err_set(err, ERR_UNAVAILABLE, "\"%s\" has no vectors yet",
			       a->d->lent.rules->name);
	info = embedder_info(g->embedder);
	if (info->is_remote && clock_monotonic_us() < atomic_load(&e->rests_until_us))
		return err_set(err, ERR_UNAVAILABLE, "%s did not answer a moment ago",
			       info->provider);
	vector = arena_alloc(&a->d->arena, info->dimension * sizeof(*vector));
	r = embedder_embed(g->embedder, EMBED_QUERY, &text, 1, vector, err);
	if (r < 0 && info->is_remote)
		atomic_store(&e->rests_until_us, clock_monotonic_us() + REST_US);
	if (r == 0)
		a->find.meanings = (struct search_meanings){
		    .query = vector, .nearest = nearest, .cosines = cosines, .arg = a};
	return r;
}

/* Meaning is asked for when there are words, and a model that answers. */
static int embed(struct asking *a, struct err *err)
{
	struct str text = str_trim(str_from(a->understood.text));
	struct err why = {0};
	int64_t since = clock_monotonic_us();
	int r;

	if (a->find.mode == SEARCH_LEXICAL || !text.len)
		return 0;
	r = embed_text(a, text, &why);
	a->answer.embed_us = clock_monotonic_us() - since;
	if (r < 0 && a->find.mode == SEARCH_VECTOR) {
		*err = why;
		return r;
	}
	if (r < 0)
		a->answer.without =
		    arena_printf(&a->d->arena, "meaning had no part in it: %s", why.message);
	return 0;
}

/* The collection may not have vectors yet, while others have. */
static int find(struct asking *a, struct err *err)
{
	int r = search_find(&a->find, &a->d->arena, &a->results, err);

	if (r != -ERR_NOT_FOUND || !a->find.meanings.query)
		return r;
	if (a->find.mode == SEARCH_VECTOR) {
		err->code = ERR_UNAVAILABLE; /* not yet: the collection itself is there */
		return -ERR_UNAVAILABLE;
	}
	a->answer.without =
	    arena_printf(&a->d->arena, "meaning had no part in it: %s", err->message);
	err_clear(err);
	a->find.meanings = (struct search_meanings){0};
	return search_find(&a->find, &a->d->arena, &a->results, err);
}

static void tell_matched(const struct search_results *results, struct search_matched *ret)
{
	ret->n = results->n_matched;
	if (!results->matched)
		return;
	ret->keys = arena_alloc(ret->arena, (ret->n + 1) * sizeof(*ret->keys));
	for (size_t i = 0; i < ret->n; i++)
		ret->keys[i] = arena_str(ret->arena, results->matched[i]);
}

static int ask(struct asking *a, struct strbuf *json, struct err *err)
{
	int64_t since = clock_monotonic_us();
	int r = read_mode(a, err);

	a->find.facets = a->q->facets;
	a->find.n_facets = a->q->n_facets;
	if (r == 0)
		r = read_filters(a, err);
	if (r == 0)
		r = check_names(a, err);
	if (r < 0)
		return r;
	understand(a);
	r = embed(a, err);
	a->find.corpus = a->d->lent.corpus;
	a->find.analyzer = a->d->analyzer;
	a->find.synonyms = a->d->lent.synonyms;
	a->find.understood = &a->understood;
	a->find.filters = a->filters;
	a->find.n_filters = a->n_filters;
	a->find.limit = a->q->limit;
	a->find.offset = a->q->offset;
	a->find.explain = a->q->explains;
	a->find.collapse = a->q->collapses;
	a->find.matched_max = a->q->matched ? a->q->matched->max : 0;
	if (r == 0)
		r = find(a, err);
	if (r < 0)
		return r;
	if (a->q->matched)
		tell_matched(&a->results, a->q->matched);
	a->answer.rules = a->d->lent.rules;
	a->answer.understood = &a->understood;
	a->answer.results = &a->results;
	a->answer.analyzer = a->d->analyzer;
	a->answer.filters = a->filters;
	a->answer.n_filters = a->n_filters;
	a->answer.order = a->find.order;
	a->answer.explain = a->q->explains;
	a->answer.only_matched = a->q->matched != NULL;
	a->answer.collapse = a->q->collapses;
	a->answer.is_whole = a->d->lent.is_whole;
	a->answer.took_us = clock_monotonic_us() - since;
	search_answer_write(&a->answer, json);
	return 0;
}

/* By mode, and by itself what was refused or failed. */
static void count_search(const struct asking *a, int r, int64_t since)
{
	if (r == 0)
		metric_observe(metric_series(METRIC_HISTOGRAM, "aethermart_search_seconds",
					     "Time to answer a search.", "mode",
					     a->answer.mode ? a->answer.mode : "similar"),
			       clock_monotonic_us() - since);
	else
		metric_add(metric_series(METRIC_COUNTER, "aethermart_search_failures_total",
					 "Searches that were refused, or failed.", "reason",
					 r == -ERR_INVALID_ARGUMENT ? "refused" : "failed"),
			   1);
}

int search_engine_search(struct search_engine *e, const struct search_request *q,
			 struct strbuf *json, const char **ret_wrong, struct err *err)
{
	struct search_desk d = {0};
	struct asking a = {.d = &d, .q = q};
	int64_t since = clock_monotonic_us();
	int r = search_desk_open(e, q->in, &d, err);

	if (r == -ERR_NOT_FOUND)
		a.wrong = "in";
	if (r == 0)
		r = search_similar_is_asked(&d, q)
			? search_similar_answer(&d, q, json, &a.wrong, err)
			: ask(&a, json, err);
	if (ret_wrong && a.wrong)
		*ret_wrong = a.wrong;
	count_search(&a, r, since);
	search_desk_close(&d);
	return r;
}

int search_engine_document(struct search_engine *e, const char *in, struct str key,
			   struct strbuf *json, struct err *err)
{
	struct search_desk d = {0};
	struct search_record record;
	uint32_t number = 0;
	int r = search_desk_open(e, in, &d, err);

	if (r == 0 && !search_corpus_find(d.lent.corpus, key, &number))
		r = err_set(err, ERR_NOT_FOUND, "there is no such document");
	if (r == 0) {
		search_corpus_lock(d.lent.corpus);
		r = search_corpus_record(d.lent.corpus, number, &d.arena, &record, err);
		search_corpus_unlock(d.lent.corpus);
	}
	if (r == 0) {
		strbuf_addch(json, '{');
		search_answer_hit(d.lent.rules, key, &record, json);
		strbuf_addch(json, '}');
	}
	search_desk_close(&d);
	return r;
}
