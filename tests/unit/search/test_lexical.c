/* The inverted index beside an exhaustive scorer: dense arrays, doubles, the formula as it is
 * written in search_lexical.h. Documents come, change and go over several windows, with gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_lexical.h"

#include <math.h>

#include "base/banned.h"

#define NUMBERS	   20000
#define TERMS	   40
#define FIELDS	   3
#define TITLE	   1 /* bits of the fields that are the title */
#define TOLERANCE  0.005
#define UNKNOWN	   (TERMS + 1000)
#define WORDS	   (NUMBERS / 64 + 1)
#define WINDOWS	   (NUMBERS / SEARCH_WINDOW + 1)
#define CLAUSES	   5
#define VARIANTS   4
#define TERMS_EACH 3

static const struct search_weights weights = {
    .k1 = 1.2,
    .n_fields = FIELDS,
    .fields = {{8, 0.5, 60}, {1, 0.75, 400}, {0.5, 0, 100}},
};

/* What each document has, as it was put. */
static struct model {
	uint16_t counts[TERMS][FIELDS]; /* in quarters of a word */
	uint32_t lengths[FIELDS];
	bool is_there;
} model[NUMBERS];
static uint32_t n_documents;
static uint64_t seed;

static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

static bool has_term(const struct model *m, uint32_t term)
{
	for (size_t f = 0; term < TERMS && f < FIELDS; f++) {
		if (m->counts[term][f])
			return true;
	}
	return false;
}

/* --- documents ------------------------------------------------------------------------------- */

/* The first terms are in nearly every document, the last in hardly any. */
static void make_document(struct model *m)
{
	*m = (struct model){.is_there = true};
	for (size_t f = 0; f < FIELDS; f++)
		m->lengths[f] = next(4) ? 20 + next(900) : 0;
	for (uint32_t t = 0; t < TERMS; t++) {
		if (next(1 + t * t * t / 8))
			continue;
		for (size_t f = 0; f < FIELDS; f++) {
			if (m->lengths[f] && !next(2))
				m->counts[t][f] = (uint16_t)(1 + next(f ? 30 : 9));
		}
	}
}

static void put_model(struct search_lexical *lx, uint32_t number)
{
	struct search_occurrence items[TERMS * FIELDS];
	const struct model *m = &model[number];
	size_t n = 0;

	for (uint32_t t = 0; t < TERMS; t++) {
		for (uint8_t f = 0; f < FIELDS; f++) {
			if (m->counts[t][f])
				items[n++] = (struct search_occurrence){t, f, m->counts[t][f]};
		}
	}
	search_lexical_put(lx, number, items, n, m->lengths);
}

/* The document as it is now: terms that the former one had and this one has not are removed. */
static void change(struct search_lexical *lx, uint32_t number, bool is_there)
{
	struct model former = model[number];
	uint32_t gone[TERMS];
	size_t n = 0;

	if (is_there)
		make_document(&model[number]);
	else
		model[number] = (struct model){0};
	for (uint32_t t = 0; t < TERMS; t++) {
		if (has_term(&former, t) && !has_term(&model[number], t))
			gone[n++] = t;
	}
	search_lexical_remove(lx, number, gone, n);
	if (is_there)
		put_model(lx, number);
	n_documents += is_there;
	n_documents -= former.is_there;
}

/* Thousands of documents: one window full, one empty, the others with gaps; not in order. */
static struct search_lexical *fill(uint64_t from)
{
	struct search_lexical *lx = search_lexical_new(&weights);

	memset(model, 0, sizeof(model));
	n_documents = 0;
	seed = from;
	for (uint32_t i = 0; i < SEARCH_WINDOW; i++)
		change(lx, i, true);
	for (uint32_t i = 0; i < 3000; i++)
		change(lx, 2 * SEARCH_WINDOW + next(NUMBERS - 2 * SEARCH_WINDOW), true);
	return lx;
}

/* Changes, removals, new ones and removals of what is not there. */
static void stir(struct search_lexical *lx, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		uint32_t number = next(NUMBERS);

		change(lx, number, model[number].is_there ? next(3) != 0 : next(4) == 0);
	}
}

/* --- the exhaustive scorer ------------------------------------------------------------------- */

static uint32_t frequency(uint32_t term)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NUMBERS; i++)
		n += has_term(&model[i], term);
	return n;
}

static double idf(double n)
{
	return log(1 + (n_documents - n + 0.5) / (n + 0.5));
}

static double saturated(const struct model *m, uint32_t term)
{
	double tf = 0;

	for (size_t f = 0; f < FIELDS; f++) {
		double b = weights.fields[f].b;

		tf += weights.fields[f].weight * m->counts[term][f] / SEARCH_COUNT_WORD /
		      (1 - b + b * m->lengths[f] / weights.fields[f].average);
	}
	return tf / (weights.k1 + tf);
}

struct asked {
	struct search_clause clauses[CLAUSES];
	struct search_variant variants[CLAUSES][VARIANTS];
	uint32_t terms[CLAUSES][VARIANTS][TERMS_EACH];
	double idfs[CLAUSES][VARIANTS][TERMS_EACH];
	size_t n;
};

static void find_idfs(struct asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t v = 0; v < a->clauses[i].n; v++) {
			for (size_t t = 0; t < a->variants[i][v].n; t++)
				a->idfs[i][v][t] = idf(frequency(a->terms[i][v][t]));
		}
	}
}

static struct asked make_query(size_t n, size_t variants, size_t terms)
{
	struct asked a = {.n = n};

	for (size_t i = 0; i < n; i++) {
		size_t n_variants = 1 + next((uint32_t)variants);

		for (size_t v = 0; v < n_variants; v++) {
			size_t n_terms = 1 + next((uint32_t)terms);

			for (size_t t = 0; t < n_terms; t++)
				a.terms[i][v][t] = next(12) ? next(TERMS) : UNKNOWN;
			a.variants[i][v] =
			    (struct search_variant){.n = n_terms, .weight = v ? 0.8F : 1};
		}
		a.clauses[i] = (struct search_clause){.n = n_variants, .weight = i % 2 ? 0.5F : 1};
	}
	return a;
}

static void link_query(struct asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		a->clauses[i].variants = a->variants[i];
		for (size_t v = 0; v < a->clauses[i].n; v++)
			a->variants[i][v].terms = a->terms[i][v];
	}
	find_idfs(a);
}

struct scored {
	bool any;
	double score, share, titled;
	double clauses[CLAUSES];
};

static double sum_of_idfs(const struct asked *a, size_t i, size_t v)
{
	double sum = 0;

	for (size_t t = 0; t < a->variants[i][v].n; t++)
		sum += a->idfs[i][v][t];
	return sum;
}

/* A clause weighs as much as its first variant's terms in the mean. */
static double weight_of(const struct asked *a, size_t i)
{
	return (double)a->clauses[i].weight * sum_of_idfs(a, i, 0) / (double)a->variants[i][0].n;
}

/* The most that it can give: with its best variant. */
static double most(const struct asked *a, size_t i)
{
	double weight = 0;

	for (size_t v = 0; v < a->clauses[i].n; v++)
		weight = fmax(weight, (double)a->variants[i][v].weight);
	return weight_of(a, i) * weight;
}

struct variant_scored {
	bool has, is_titled;
	double score;
};

/* Its terms share the weight of the clause, by how rare each is. */
static struct variant_scored score_variant(const struct asked *a, size_t i, size_t v,
					   const struct model *m)
{
	const struct search_variant *variant = &a->variants[i][v];
	struct variant_scored ret = {true, true, 0};

	for (size_t t = 0; t < variant->n; t++) {
		uint32_t term = a->terms[i][v][t];

		if (!has_term(m, term))
			return (struct variant_scored){false, false, 0};
		ret.is_titled &= m->counts[term][0] > 0;
		ret.score += a->idfs[i][v][t] * saturated(m, term);
	}
	ret.score *= (double)variant->weight * weight_of(a, i) / sum_of_idfs(a, i, v);
	return ret;
}

static struct scored score(const struct asked *a, const struct model *m)
{
	struct scored ret = {0};
	double total = 0;

	for (size_t i = 0; i < a->n; i++) {
		double share = 0, titled = 0;

		for (size_t v = 0; v < a->clauses[i].n; v++) {
			struct variant_scored s = score_variant(a, i, v, m);
			double weight = (double)a->variants[i][v].weight;

			ret.any |= s.has;
			share = s.has ? fmax(share, weight) : share;
			titled = s.is_titled ? fmax(titled, weight) : titled;
			ret.clauses[i] = fmax(ret.clauses[i], s.score);
		}
		total += most(a, i);
		ret.score += ret.clauses[i];
		ret.share += share * most(a, i);
		ret.titled += titled * most(a, i);
	}
	ret.share /= total;
	ret.titled /= total;
	return ret;
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool is_near(double a, double b)
{
	return fabs(a - b) <= TOLERANCE * fabs(b) + 1e-6;
}

static void check_explained(const struct search_walk *w, const struct asked *a, uint32_t number,
			    const struct scored *want, float whole)
{
	float clauses[CLAUSES];
	double sum = 0;

	search_walk_explain(w, number, clauses);
	for (size_t i = 0; i < a->n; i++) {
		if (!is_near((double)clauses[i], want->clauses[i]))
			fail_msg("document %u: clause %zu gives %g instead of %g", number, i,
				 (double)clauses[i], want->clauses[i]);
		sum += (double)clauses[i];
	}
	if (fabs(sum - (double)whole) > 1e-5 * sum)
		fail_msg("document %u: the clauses give %g, the document has %g", number, sum,
			 (double)whole);
}

static void check_window(const struct search_walk *w, const struct asked *a, uint32_t window,
			 const struct search_window *got, float bound)
{
	for (uint32_t p = 0; p < SEARCH_WINDOW; p++) {
		uint32_t number = window * SEARCH_WINDOW + p;
		static const struct model none;
		struct scored want = score(a, number < NUMBERS ? &model[number] : &none);
		bool any = got->any[p / 64] >> (p % 64) & 1;

		if (any != want.any)
			fail_msg("document %u is %sfound", number, any ? "" : "not ");
		if (!any)
			continue;
		if (got->at[p].score > bound)
			fail_msg("document %u: %.9g is above %.9g", number,
				 (double)got->at[p].score, (double)bound);
		if (!is_near((double)got->at[p].score, want.score) ||
		    !is_near((double)got->at[p].share, want.share) ||
		    !is_near((double)got->at[p].titled, want.titled))
			fail_msg("document %u has %g %g %g instead of %g %g %g", number,
				 (double)got->at[p].score, (double)got->at[p].share,
				 (double)got->at[p].titled, want.score, want.share, want.titled);
		if (p % 17 == 0)
			check_explained(w, a, number, &want, got->at[p].score);
	}
}

static bool is_found_in(const struct asked *a, uint32_t window)
{
	for (uint32_t p = 0; p < SEARCH_WINDOW; p++) {
		uint32_t number = window * SEARCH_WINDOW + p;

		if (number < NUMBERS && score(a, &model[number]).any)
			return true;
	}
	return false;
}

/* Documents that have a clause that is wanted are scored as whole as ever, others are counted. */
static void check_wanted(struct search_walk *w, const struct asked *a, uint32_t at)
{
	static struct search_window window;
	struct search_scores most[CLAUSES];
	uint64_t wanted = next(1U << a->n);

	search_walk_score(w, at, wanted, &window);
	assert_int_equal(search_walk_most(w, at, most), a->n);
	for (uint32_t p = 0; p < SEARCH_WINDOW && at * SEARCH_WINDOW + p < NUMBERS; p++) {
		struct scored want = score(a, &model[at * SEARCH_WINDOW + p]);
		bool is_wanted = false, is_scored = window.scored[p / 64] >> (p % 64) & 1;

		for (size_t i = 0; i < a->n; i++) {
			is_wanted |= (wanted >> i & 1) && want.clauses[i] > 0;
			assert_true(want.clauses[i] <=
				    (double)most[i].score * (1 + TOLERANCE) + 1e-6);
		}
		if (is_scored != is_wanted || (window.any[p / 64] >> (p % 64) & 1) != want.any)
			fail_msg("document %u of window %u is %sscored", p, at,
				 is_scored ? "" : "not ");
		if (is_scored && (!is_near((double)window.at[p].score, want.score) ||
				  !is_near((double)window.at[p].share, want.share) ||
				  !is_near((double)window.at[p].titled, want.titled)))
			fail_msg("document %u of window %u has another score", p, at);
	}
}

/* Goes through all windows as a query does: some are scored, some only counted. */
static void check_query(const struct search_lexical *lx, struct asked *a)
{
	static struct search_window window;
	struct arena arena = {0};
	struct search_scoring s = {
	    .clauses = a->clauses, .n = a->n, .documents = n_documents, .title = TITLE};
	struct search_walk *w, *counting;
	double total = 0;

	link_query(a);
	w = search_walk_new(lx, &s, &arena);
	counting = search_walk_new(lx, &s, &arena);
	for (size_t i = 0; i < a->n; i++)
		total += most(a, i);
	assert_true(is_near((double)search_walk_total(w), total));
	for (uint32_t i = 0, at; i < WINDOWS; i = at + 1) {
		uint64_t any[SEARCH_WINDOW_WORDS];
		float bound;

		at = search_walk_next(w, i);
		for (; i < WINDOWS && i < at; i++) {
			if (is_found_in(a, i))
				fail_msg("window %u is left out", i);
		}
		if (at == UINT32_MAX)
			break;
		assert_true(at < WINDOWS);
		search_walk_count(counting, at, any);
		bound = search_walk_bound(w, at);
		search_walk_score(w, at, UINT64_MAX, &window);
		assert_memory_equal(any, window.any, sizeof(any));
		check_window(w, a, at, &window, bound);
		check_wanted(w, a, at);
	}
	arena_done(&arena);
}

static void check_queries(const struct search_lexical *lx, size_t variants, size_t terms)
{
	for (size_t i = 0; i < 4; i++) {
		struct asked a = make_query(1 + next(CLAUSES), variants, terms);

		check_query(lx, &a);
	}
}

/* Documents come, then change and go in place; asked before and after. */
static void check_changing(uint64_t from, size_t variants, size_t terms)
{
	struct search_lexical *lx = fill(from);

	check_queries(lx, variants, terms);
	stir(lx, 3000);
	check_queries(lx, variants, terms);
	search_lexical_free(lx);
}

static void words_score_as_the_exhaustive_scorer_says(void **state)
{
	(void)state;
	check_changing(1, 1, 1);
}

static void the_best_variant_counts(void **state)
{
	(void)state;
	check_changing(2, VARIANTS, 1);
}

static void variants_of_several_terms_need_all_of_them(void **state)
{
	(void)state;
	check_changing(3, VARIANTS, TERMS_EACH);
}

static void a_variant_may_name_a_term_twice(void **state)
{
	struct search_lexical *lx = fill(4);
	struct asked a = make_query(2, 1, 1);

	(void)state;
	a.variants[0][0].n = 2;
	a.terms[0][0][0] = a.terms[0][0][1] = 7;
	check_query(lx, &a);
	search_lexical_free(lx);
}

static void nothing_is_found_by_nothing(void **state)
{
	struct search_lexical *lx = fill(5), *empty = search_lexical_new(&weights);
	struct asked a = make_query(1, 1, 1);
	struct arena arena = {0};
	struct search_scoring s = {.clauses = a.clauses, .n = 1, .documents = n_documents};
	struct search_walk *w;

	(void)state;
	a.terms[0][0][0] = UNKNOWN;
	check_query(lx, &a);
	a.terms[0][0][0] = 0;
	w = search_walk_new(empty, &s, &arena);
	assert_int_equal(search_walk_next(w, 0), UINT32_MAX);
	a.clauses[0].n = 0;
	w = search_walk_new(lx, &s, &arena);
	assert_int_equal(search_walk_next(w, 0), UINT32_MAX);
	assert_true(search_walk_total(w) <= 0);
	s.n = 0;
	w = search_walk_new(lx, &s, &arena);
	assert_int_equal(search_walk_next(w, 0), UINT32_MAX);
	arena_done(&arena);
	search_lexical_free(lx);
	search_lexical_free(empty);
}

static void documents_of_a_term_are_counted(void **state)
{
	struct search_lexical *lx = fill(6);

	(void)state;
	stir(lx, 5000);
	for (uint32_t t = 0; t < TERMS; t++)
		assert_int_equal(search_lexical_documents(lx, t), frequency(t));
	assert_int_equal(search_lexical_documents(lx, UNKNOWN), 0);
	for (uint32_t i = 0; i < NUMBERS; i++)
		change(lx, i, false);
	for (uint32_t t = 0; t < TERMS; t++)
		assert_int_equal(search_lexical_documents(lx, t), 0);
	search_lexical_free(lx);
}

static void check_mark(const struct search_lexical *lx, const uint32_t *terms, size_t n,
		       size_t words)
{
	uint64_t bits[WORDS + 1] = {0};

	bits[0] = 1; /* what is set stays */
	bits[words] = 0x5555;
	search_lexical_mark(lx, terms, n, bits, words);
	assert_true(bits[words] == 0x5555);
	for (uint32_t i = 1; i < NUMBERS && i / 64 < words; i++) {
		bool all = n > 0;

		for (size_t t = 0; t < n; t++)
			all &= has_term(&model[i], terms[t]);
		if (all != (bits[i / 64] >> (i % 64) & 1))
			fail_msg("document %u is %smarked", i, all ? "not " : "");
	}
	assert_true(bits[0] & 1);
}

static void documents_with_all_terms_are_marked(void **state)
{
	struct search_lexical *lx = fill(7);

	(void)state;
	stir(lx, 2000);
	for (size_t i = 0; i < 60; i++) {
		uint32_t terms[4];

		for (size_t t = 0; t < 4; t++)
			terms[t] = next(9) ? next(TERMS / (1 + next(3))) : UNKNOWN;
		check_mark(lx, terms, i % 5, i % 7 ? WORDS : 1 + next(WORDS));
	}
	search_lexical_free(lx);
}

/* Counts, lengths and weights beyond what the scale holds are its end, not an overflow. */
static void the_scale_ends_where_more_says_no_more(void **state)
{
	const struct search_weights wild = {
	    .k1 = 1.2, .n_fields = 2, .fields = {{1000, 1, 10}, {0, 1, 0}}};
	struct search_lexical *lx = search_lexical_new(&wild);
	const struct search_occurrence often = {0, 0, UINT16_MAX}, weightless = {1, 1, 1};
	const uint32_t lengths[2] = {1, UINT32_MAX};
	const uint32_t terms[2] = {0, 1};
	struct search_variant v[2] = {{&terms[0], 1, 1}, {&terms[1], 1, 1}};
	struct search_clause c[2] = {{&v[0], 1, 1}, {&v[1], 1, 1}};
	struct search_scoring s = {.clauses = c, .n = 2, .documents = 1, .title = TITLE};
	static struct search_window window;
	struct arena arena = {0};
	struct search_walk *w;

	(void)state;
	search_lexical_put(lx, 9, &often, 1, lengths);
	search_lexical_put(lx, 9, &weightless, 1, lengths);
	w = search_walk_new(lx, &s, &arena);
	search_walk_score(w, 0, UINT64_MAX, &window);
	assert_true(window.any[0] == 1U << 9);
	assert_true(window.at[9].score > 0 && window.at[9].score <= search_walk_total(w));
	assert_true(is_near((double)window.at[9].share, 1) &&
		    is_near((double)window.at[9].titled, 0.5));
	arena_done(&arena);
	search_lexical_free(lx);
}

static void memory_is_given_back(void **state)
{
	struct search_lexical *lx = fill(8);
	size_t full = search_lexical_memory(lx), postings = 0, empty;

	(void)state;
	for (uint32_t t = 0; t < TERMS; t++)
		postings += frequency(t);
	for (uint32_t i = 0; i < NUMBERS; i++)
		change(lx, i, false);
	empty = search_lexical_memory(lx);
	assert_true(full > 4 * postings && empty < full / 2);
	for (uint32_t i = 0; i < 4 * SEARCH_WINDOW; i++)
		change(lx, i % SEARCH_WINDOW, i / SEARCH_WINDOW % 2 == 0);
	assert_true(search_lexical_memory(lx) < empty + empty / 4); /* some terms are new */
	search_lexical_free(lx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_score_as_the_exhaustive_scorer_says),
	    cmocka_unit_test(the_best_variant_counts),
	    cmocka_unit_test(variants_of_several_terms_need_all_of_them),
	    cmocka_unit_test(a_variant_may_name_a_term_twice),
	    cmocka_unit_test(nothing_is_found_by_nothing),
	    cmocka_unit_test(documents_of_a_term_are_counted),
	    cmocka_unit_test(documents_with_all_terms_are_marked),
	    cmocka_unit_test(the_scale_ends_where_more_says_no_more),
	    cmocka_unit_test(memory_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
