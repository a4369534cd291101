/* Tuning: see search_tune.h. */
#include "search/search_tune.h"

#include "base/banned.h"

#define WEIGHTS_MAX (2 * SEARCH_FIELDS_MAX + 16)
#define GAIN_MIN    0.0003 /* below it is chance */
#define FIRST	    0.1	   /* of a weight that is 0 */

struct weight {
	const char *group, *name;
	double *value;
	double max;
	bool is_indexed; /* in the postings: they are made anew */
};

/* --- measuring ------------------------------------------------------------------------------- */

static bool takes_part(const struct search_tuning *t, size_t query, bool is_check)
{
	return !t->folds || (query % t->folds == t->fold) == is_check;
}

static const char *const no_facets[1];

static int ask(struct search_tuning *t, size_t query, enum search_mode mode,
	       struct search_quality *q, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_understood understood;
	struct search_understanding how = {0};
	struct search_results results;
	const char *names[SEARCH_JUDGED_DEPTH];
	struct search_find f = {
	    .corpus = t->corpus,
	    .analyzer = t->analyzer,
	    .synonyms = t->synonyms,
	    .understood = &understood,
	    .mode = mode,
	    .limit = SEARCH_JUDGED_DEPTH,
	    .facets = no_facets,
	    .ranking = &t->rules->ranking,
	};
	size_t shown = 0;
	int r;

	while (shown < t->rules->n_shown && !cstr_equal(t->rules->shown[shown].name, t->name))
		shown++;
	if (shown == t->rules->n_shown)
		return err_set(err, ERR_INVALID_ARGUMENT, "hits do not show \"%s\"", t->name);
	search_query_understand(t->vocabulary, str_from(t->queries[query].text), &how, &arena,
				&understood);
	if (mode != SEARCH_LEXICAL) {
		f.meanings = t->meanings;
		f.meanings.query = t->vectors + query * t->dimension;
	}
	r = search_find(&f, &arena, &results, err);
	for (size_t i = 0; i < results.n && r == 0; i++) {
		struct str s = results.hits[i].record.shown[shown];

		names[i] = arena_strndup(&arena, s.data, s.len);
	}
	if (r == 0)
		search_quality_add(q, &t->queries[query], names, results.n);
	return r;
}

static int measure(struct search_tuning *t, bool is_check, struct search_tuned *ret,
		   struct err *err)
{
	int r = 0;

	*ret = (struct search_tuned){0};
	for (size_t i = 0; i < t->n && r == 0; i++) {
		if (!takes_part(t, i, is_check))
			continue;
		r = ask(t, i, SEARCH_LEXICAL, &ret->words, err);
		if (r == 0 && t->vectors)
			r = ask(t, i, SEARCH_HYBRID, &ret->hybrid, err);
	}
	search_quality_end(&ret->words);
	search_quality_end(&ret->hybrid);
	return r;
}

int search_tune_measure(struct search_tuning *t, struct search_tuned *ret, struct err *err)
{
	return measure(t, false, ret, err);
}

int search_tune_check(struct search_tuning *t, struct search_tuned *ret, struct err *err)
{
	return measure(t, true, ret, err);
}

static double mean(const struct search_quality *q)
{
	return (q->ndcg + q->judged_ndcg) / 2;
}

static int score(struct search_tuning *t, double *ret, struct err *err)
{
	struct search_tuned q;
	int r = search_tune_measure(t, &q, err);

	*ret = t->vectors ? (mean(&q.words) + mean(&q.hybrid)) / 2 : mean(&q.words);
	return r;
}

/* --- climbing -------------------------------------------------------------------------------- */

static size_t list_weights(struct search_collection *c, struct weight *ret)
{
	struct search_ranking *k = &c->ranking;
	size_t n = 0;

	ret[n++] = (struct weight){"ranking", "k1", &k->k1, 10, true};
	for (size_t i = 0; i < c->n_fields; i++) {
		ret[n++] =
		    (struct weight){c->fields[i].name, "weight", &c->fields[i].weight, 1000, true};
		ret[n++] = (struct weight){c->fields[i].name, "b", &c->fields[i].b, 1, true};
	}
	ret[n++] = (struct weight){"ranking", "words", &k->words, 1000, false};
	ret[n++] = (struct weight){"ranking", "share", &k->share, 1000, false};
	ret[n++] = (struct weight){"ranking", "title", &k->title, 1000, false};
	ret[n++] = (struct weight){"ranking", "meaning", &k->meaning, 1000, false};
	ret[n++] = (struct weight){"ranking", "boost", &k->boost, 1000, false};
	ret[n++] = (struct weight){"ranking", "nearest", &k->nearest, 0.95, false};
	return n;
}

static int set(struct search_tuning *t, const struct weight *w, double value, struct err *err)
{
	*w->value = value;
	return w->is_indexed ? search_corpus_reweigh(t->corpus, err) : 0;
}

static int climb(struct search_tuning *t, const struct weight *w, double *best, struct err *err)
{
	static const double steps[] = {0.5, 0.7, 0.85, 1.2, 1.4, 2};
	double from = *w->value, to = from;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++) {
		double value = (from > 0 ? from : FIRST) * steps[i], now = 0;

		if (value > w->max)
			continue;
		r = set(t, w, value, err);
		if (r == 0)
			r = score(t, &now, err);
		if (r < 0 || now < *best + GAIN_MIN)
			continue;
		*best = now;
		to = value;
	}
	if (r == 0)
		r = set(t, w, to, err);
	if (r == 0 && t->progress && (to < from || to > from)) {
		_cleanup_(mem_freep) char *name = mem_printf("%s.%s", w->group, w->name);

		t->progress(t->arg, name, from, to, *best);
	}
	return r;
}

int search_tune(struct search_tuning *t, unsigned rounds, struct err *err)
{
	struct weight weights[WEIGHTS_MAX];
	size_t n = list_weights(t->rules, weights);
	double best = 0;
	int r = score(t, &best, err);

	for (unsigned round = 0; round < rounds && r == 0; round++) {
		double before = best;

		for (size_t i = 0; i < n && r == 0; i++)
			r = climb(t, &weights[i], &best, err);
		if (best < before + GAIN_MIN)
			break;
	}
	return r;
}

/* --- writing --------------------------------------------------------------------------------- */

void search_tune_write(const struct search_collection *c, struct strbuf *yaml)
{
	const struct search_ranking *k = &c->ranking;

	strbuf_addf(yaml, "    ranking: {k1: %.3g, words: %.3g, share: %.3g, title: %.3g,\n", k->k1,
		    k->words, k->share, k->title);
	strbuf_addf(yaml, "              meaning: %.3g, boost: %.3g, nearest: %.3g}\n", k->meaning,
		    k->boost, k->nearest);
	strbuf_addstr(yaml, "    fields:\n");
	for (size_t i = 0; i < c->n_fields; i++)
		strbuf_addf(yaml, "      %s: {weight: %.3g, b: %.3g, ...}\n", c->fields[i].name,
			    c->fields[i].weight, c->fields[i].b);
}
