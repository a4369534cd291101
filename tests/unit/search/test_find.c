/* Queries beside a look at each document: totals, facets, pages and orders in each mode; conditions
 * that are given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "corpus_fixture.h"
#include "search/search_find.h"
#include "vector/vector.h"

#include <math.h>
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define DOCUMENTS 10000 /* three windows */
#define BRANDS	  4
#define DIMENSION 4
#define NEAREST	  0.93F
#define MANY	  3000

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    title: name\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    fields:\n"
				 "      name: {weight: 8, b: 0.5, parts: [{field: name}]}\n"
				 "      about: {parts: [{field: about}]}\n"
				 "    attributes:\n"
				 "      price: {field: price, type: number, facet: true}\n"
				 "      made: {field: made, type: date}\n"
				 "      brand: {field: brand, type: text, facet: true}\n";

static const char *const words[] = {"keyboard", "monitor", "printer", "cable",	 "speaker",
				    "router",	"camera",  "tablet",  "charger", "special"};
static const char *const no_facets[1];
static const char *const brands[BRANDS] = {"Sony", "LG", "Acme", "Zoom"};

static const struct search_ranking ranking = {.k1 = 1.2,
					      .words = 1,
					      .share = 0.3,
					      .title = 0.2,
					      .meaning = 0.5,
					      .boost = 0.1,
					      .nearest = (double)NEAREST};

/* What each document is; its number in the corpus is its place here. */
static struct model {
	bool is_there, has_price, has_vector;
	uint32_t words; /* as bits */
	double price;
	int64_t made_ms; /* 0: not known */
	size_t brand;	 /* BRANDS: none */
	float vector[DIMENSION];
} model[DOCUMENTS];

static struct fixture {
	struct corpus_fixture of;
	struct search_corpus *corpus;
	struct arena arena;
} f;
static uint64_t seed = 1;

static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

/* --- documents ------------------------------------------------------------------------------- */

static void make_model(uint32_t i)
{
	struct model *m = &model[i];
	float length = 0;

	*m = (struct model){.is_there = true, .brand = next(BRANDS + 1)};
	for (uint32_t w = 0; w < ARRAY_LEN(words) - 1; w++)
		m->words |= (uint32_t)(next(3 + w * w * 4) == 0) << w;
	/* The last word: often in titles of the first window, elsewhere beside much else. */
	m->words |= (uint32_t)(i < 300 || next(20) == 0) << (ARRAY_LEN(words) - 1);
	m->has_price = next(5) != 0;
	m->price = next(400) * 0.25;
	if (next(4))
		m->made_ms = INT64_C(1700000000000) + next(100000); /* seconds apart */
	m->has_vector = next(3) != 0;
	for (size_t d = 0; d < DIMENSION; d++) {
		m->vector[d] = (float)next(2001) / 1000 - 1;
		length += m->vector[d] * m->vector[d];
	}
	for (size_t d = 0; d < DIMENSION; d++)
		m->vector[d] /= sqrtf(length) + 1e-6F;
}

static void put_model(uint32_t i)
{
	const struct model *m = &model[i];
	struct strbuf name = STRBUF_INIT(0), about = STRBUF_INIT(0);
	bson_t b = BSON_INITIALIZER;

	for (uint32_t w = 0; w < ARRAY_LEN(words); w++) {
		bool is_last = w + 1 == ARRAY_LEN(words);

		if (m->words >> w & 1)
			strbuf_addf((is_last ? i < 300 : (i + w) % 3 == 0) ? &name : &about, "%s ",
				    words[w]);
	}
	for (uint32_t n = next(20); n; n--)
		strbuf_addstr(&about, "filler ");
	BSON_APPEND_UTF8(&b, "name", strbuf_str(&name));
	BSON_APPEND_UTF8(&b, "about", strbuf_str(&about));
	if (m->has_price)
		BSON_APPEND_DOUBLE(&b, "price", m->price);
	if (m->made_ms)
		BSON_APPEND_DATE_TIME(&b, "made", m->made_ms);
	if (m->brand < BRANDS)
		BSON_APPEND_UTF8(&b, "brand", brands[m->brand]);
	corpus_fixture_put(f.corpus, i, &b);
	bson_destroy(&b);
	strbuf_done(&name);
	strbuf_done(&about);
}

static int make_all(void **state)
{
	(void)state;
	corpus_fixture_start(&f.of, rules_text);
	f.corpus = corpus_fixture_open(&f.of, "large", 1);
	for (uint32_t i = 0; i < DOCUMENTS; i++) {
		make_model(i);
		put_model(i);
	}
	for (uint32_t i = 0; i < DOCUMENTS; i += 11) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%u", i);

		assert_int_equal(
		    search_corpus_remove(f.corpus, (struct str){text, (size_t)n}, NULL), 0);
		model[i].is_there = false;
	}
	assert_int_equal(search_corpus_reweigh(f.corpus, NULL), 0);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	search_corpus_free(f.corpus);
	return corpus_fixture_end(&f.of);
}

static int forget(void **state)
{
	(void)state;
	arena_done(&f.arena);
	return 0;
}

/* --- meaning --------------------------------------------------------------------------------- */

static const float asked[DIMENSION] = {0.5F, -0.5F, 0.5F, 0.5F};

static float cosine(const float *query, uint32_t i)
{
	float sum = 0;

	for (size_t d = 0; model[i].has_vector && d < DIMENSION; d++)
		sum += query[d] * model[i].vector[d];
	return sum;
}

static int nearer(const void *a, const void *b)
{
	const struct vector_hit *x = a, *y = b;

	if (x->score < y->score || x->score > y->score)
		return x->score < y->score ? 1 : -1;
	return x->id < y->id ? -1 : 1;
}

/* Vectors of documents that are gone are still there. */
static int nearest(void *arg, const float *query, const struct roaring_bitmap_s *filter, size_t k,
		   struct vector_hit *ret, size_t *ret_n, struct err *err)
{
	static struct vector_hit all[DOCUMENTS];
	size_t n = 0;

	(void)arg;
	(void)err;
	for (uint32_t i = 0; i < DOCUMENTS; i++) {
		if (model[i].has_vector && (!filter || roaring_bitmap_contains(filter, i)))
			all[n++] = (struct vector_hit){i, cosine(query, i)};
	}
	if (n)
		qsort(all, n, sizeof(*all), nearer);
	*ret_n = n < k ? n : k;
	memcpy(ret, all, *ret_n * sizeof(*ret));
	return 0;
}

static int cosines(void *arg, const float *query, const uint32_t *numbers, size_t n, float *ret,
		   struct err *err)
{
	(void)arg;
	(void)err;
	for (size_t i = 0; i < n; i++)
		ret[i] = cosine(query, numbers[i]);
	return 0;
}

static const struct search_meanings meanings = {
    .query = asked, .nearest = nearest, .cosines = cosines};

/* --- asking ---------------------------------------------------------------------------------- */

/* Quotes and minus are understood, nothing else. */
static struct search_understood *understand(const char *query)
{
	const struct search_understanding how = {.only_words = true};
	struct search_understood *u = arena_alloc(&f.arena, sizeof(*u));

	search_query_understand(f.of.vocabulary, str_from(query), &how, &f.arena, u);
	return u;
}

static struct search_find ask(const char *query)
{
	return (struct search_find){.corpus = f.corpus,
				    .analyzer = f.of.analyzer,
				    .understood = understand(query),
				    .mode = SEARCH_LEXICAL,
				    .limit = 10,
				    .ranking = &ranking};
}

static struct search_filter filter(const char *text)
{
	struct search_filter ret = {0};
	struct err err = {0};

	if (search_filter_parse(str_from(text), &f.arena, &ret, &err) < 0)
		fail_msg("%s", err.message);
	return ret;
}

static struct search_results find(const struct search_find *find)
{
	struct search_results r = {0};
	struct err err = {0};

	if (search_find(find, &f.arena, &r, &err) < 0)
		fail_msg("%s", err.message);
	return r;
}

/* --- the exhaustive look --------------------------------------------------------------------- */

struct look {
	const char *query; /* some of `words` */
	const char *filters[3];
	enum search_mode mode;
	bool has_meaning;
	bool allowed[DOCUMENTS], near[DOCUMENTS], has_word[DOCUMENTS];
	uint32_t n_allowed;
};

static bool fulfils(const struct model *m, const char *condition)
{
	struct search_filter x = filter(condition);
	bool has = false;

	if (cstr_equal(x.attribute, "price"))
		has = m->has_price && m->price >= x.min && m->price <= x.max &&
		      !(x.is_min_open && m->price <= x.min) &&
		      !(x.is_max_open && m->price >= x.max);
	for (size_t i = 0; i < x.n_values && cstr_equal(x.attribute, "brand"); i++)
		has |= m->brand < BRANDS && cstr_equal(brands[m->brand], x.values[i]);
	return has != x.is_negated;
}

/* But those on the attribute `but`. */
static bool is_allowed(const struct look *l, uint32_t i, const char *but)
{
	bool is = model[i].is_there;

	for (size_t k = 0; k < ARRAY_LEN(l->filters) && l->filters[k] && is; k++) {
		if (!but || !cstr_equal(filter(l->filters[k]).attribute, but))
			is = fulfils(&model[i], l->filters[k]);
	}
	return is;
}

/* Hits by meaning, of what is allowed without the conditions on `but`. */
static void look_for_near(const struct look *l, const char *but, bool *ret)
{
	static struct vector_hit all[DOCUMENTS];
	size_t n = 0;

	memset(ret, 0, DOCUMENTS * sizeof(*ret));
	if (!l->has_meaning || l->mode == SEARCH_LEXICAL)
		return;
	for (uint32_t i = 0; i < DOCUMENTS; i++) {
		if (model[i].has_vector && is_allowed(l, i, but))
			all[n++] = (struct vector_hit){i, cosine(asked, i)};
	}
	if (n)
		qsort(all, n, sizeof(*all), nearer);
	for (size_t i = 0; i < n && i < SEARCH_NEAR; i++)
		ret[all[i].id] = all[i].score >= NEAREST;
}

static void look(struct look *l)
{
	uint32_t wanted = 0;

	for (uint32_t w = 0; w < ARRAY_LEN(words); w++)
		wanted |= (uint32_t)(strstr(l->query, words[w]) != NULL) << w;
	l->n_allowed = 0;
	for (uint32_t i = 0; i < DOCUMENTS; i++) {
		l->allowed[i] = is_allowed(l, i, NULL);
		l->n_allowed += l->allowed[i];
		l->has_word[i] = l->mode != SEARCH_VECTOR && model[i].words & wanted;
		if (!l->query[0] && !(l->has_meaning && l->mode != SEARCH_LEXICAL))
			l->has_word[i] = true;
	}
	look_for_near(l, NULL, l->near);
}

static struct search_find ask_look(const struct look *l)
{
	struct search_find ret = ask(l->query);
	struct search_filter *filters = arena_alloc(&f.arena, 3 * sizeof(*filters));

	while (ret.n_filters < 3 && l->filters[ret.n_filters]) {
		filters[ret.n_filters] = filter(l->filters[ret.n_filters]);
		ret.n_filters++;
	}
	ret.filters = filters;
	ret.mode = l->mode;
	if (l->has_meaning)
		ret.meanings = meanings;
	return ret;
}

/* The cases of most tests: every mode, with and without words, conditions and meaning. */
static const struct look looks[] = {
    {.query = "keyboard"},
    {.query = "keyboard monitor special"},
    {.query = "special", .filters = {"brand=Sony|LG"}},
    {.query = "keyboard printer", .filters = {"price<50", "brand!=Acme"}},
    {.query = "", .filters = {"price=10..20"}},
    {.query = ""},
    {.query = "unheardof"},
    {.query = "keyboard", .mode = SEARCH_HYBRID, .has_meaning = true},
    {.query = "tablet charger",
     .mode = SEARCH_HYBRID,
     .has_meaning = true,
     .filters = {"price>=20", "brand=Sony"}},
    {.query = "unheardof", .mode = SEARCH_HYBRID, .has_meaning = true},
    {.query = "keyboard", .mode = SEARCH_HYBRID},
    {.query = "keyboard", .mode = SEARCH_VECTOR, .has_meaning = true},
    {.query = "keyboard",
     .mode = SEARCH_VECTOR,
     .has_meaning = true,
     .filters = {"brand=Zoom", "price<90"}},
    {.query = "", .mode = SEARCH_VECTOR, .has_meaning = true},
    {.query = "", .mode = SEARCH_HYBRID, .has_meaning = true, .filters = {"brand=LG"}},
    {.query = "keyboard", .mode = SEARCH_LEXICAL, .has_meaning = true},
    {.query = "", .mode = SEARCH_LEXICAL, .has_meaning = true, .filters = {"brand=LG"}},
};
static const char *const modes[] = {"hybrid", "lexical", "vector"};

static struct look *take_look(size_t i)
{
	struct look *l = arena_alloc(&f.arena, sizeof(*l));

	*l = looks[i];
	if (i < 7)
		l->mode = SEARCH_LEXICAL;
	look(l);
	return l;
}

static void totals_are_those_of_an_exhaustive_look(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct look *l = take_look(i);
		struct search_find q = ask_look(l);
		struct search_results r = find(&q);
		uint32_t total = 0, by_meaning = 0;

		for (uint32_t k = 0; k < DOCUMENTS; k++) {
			total += l->allowed[k] && (l->has_word[k] || l->near[k]);
			by_meaning += l->allowed[k] && !l->has_word[k] && l->near[k];
		}
		if (r.total != total || r.by_meaning != by_meaning || r.allowed != l->n_allowed)
			fail_msg("\"%s\" (%s, look %zu): %zu of %u, %u by meaning, instead of %u "
				 "of %u, %u",
				 l->query, modes[l->mode], i, (size_t)r.total, r.allowed,
				 r.by_meaning, total, l->n_allowed, by_meaning);
		assert_int_equal(r.n, total < 10 ? total : 10);
		assert_int_equal(r.relaxed, 0);
	}
}

static uint32_t count_brand(const struct look *l, const char *brand)
{
	static bool near[DOCUMENTS];
	uint32_t n = 0;

	look_for_near(l, "brand", near);
	for (uint32_t i = 0; i < DOCUMENTS; i++)
		n += is_allowed(l, i, "brand") && (l->has_word[i] || near[i]) &&
		     model[i].brand < BRANDS && cstr_equal(brands[model[i].brand], brand);
	return n;
}

static uint32_t count_price(const struct look *l, const struct search_facet *x)
{
	static bool near[DOCUMENTS];
	uint32_t n = 0;

	look_for_near(l, "price", near);
	for (uint32_t i = 0; i < DOCUMENTS; i++)
		n += is_allowed(l, i, "price") && (l->has_word[i] || near[i]) &&
		     model[i].has_price && model[i].price >= x->min && model[i].price < x->max;
	return n;
}

static void facets_count_what_could_be_chosen_instead(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct look *l = take_look(i);
		struct search_find q = ask_look(l);
		struct search_results r = find(&q);

		assert_int_equal(r.n_facets, 2);
		assert_string_equal(r.facets[0].attribute, "price");
		for (size_t k = 0; k < r.facets[0].n; k++)
			assert_int_equal(r.facets[0].values[k].documents,
					 count_price(l, &r.facets[0].values[k]));
		for (size_t k = 0; k < r.facets[1].n; k++) {
			const struct search_facet *x = &r.facets[1].values[k];

			if (x->documents != count_brand(l, x->value))
				fail_msg("look %zu: %s: %u instead of %u", i, x->value,
					 x->documents, count_brand(l, x->value));
		}
		assert_true(r.facets[1].n == BRANDS || r.total < 50);
	}
}

/* In the total, or in a facet, which leaves out the conditions on itself. */
static uint32_t count_told(const struct look *l)
{
	static bool by_brand[DOCUMENTS], by_price[DOCUMENTS];
	uint32_t n = 0;

	look_for_near(l, "brand", by_brand);
	look_for_near(l, "price", by_price);
	for (uint32_t i = 0; i < DOCUMENTS; i++)
		n += (l->allowed[i] && (l->has_word[i] || l->near[i])) ||
		     (is_allowed(l, i, "brand") && (l->has_word[i] || by_brand[i])) ||
		     (is_allowed(l, i, "price") && (l->has_word[i] || by_price[i]));
	return n;
}

static void whoever_is_counted_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct look *l = take_look(i);
		struct search_find q = ask_look(l);
		struct search_results r;
		uint32_t n = count_told(l);

		q.limit = 0;
		q.matched_max = n ? n : 1;
		r = find(&q);
		assert_int_equal(r.n_matched, n);
		assert_non_null(r.matched);
		assert_int_equal(r.n, 0);
		if (n < 2)
			continue;
		q.matched_max = n - 1;
		r = find(&q);
		assert_int_equal(r.n_matched, n);
		assert_null(r.matched);
		q.facets = no_facets;
		q.n_facets = 0;
		assert_int_equal(find(&q).n_matched, r.total);
	}
}

static void only_the_facets_that_are_asked_for_are_counted(void **state)
{
	static const char *const names[] = {"brand"}, *const wrong[] = {"brnd"};
	struct search_find q = ask("keyboard");
	struct search_results r;
	struct err err = {0};

	(void)state;
	q.facets = names;
	q.n_facets = 1;
	r = find(&q);
	assert_true(r.n_facets == 1 && r.facets[0].n == BRANDS);
	q.facets = wrong;
	assert_int_equal(search_find(&q, &f.arena, &r, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "did you mean \"brand\""));
	q.facets = no_facets;
	q.n_facets = 0;
	assert_int_equal(find(&q).n_facets, 0);
}

static void what_is_not_there_is_an_error(void **state)
{
	struct search_filter wrong = filter("prize<5");
	struct search_find q = ask("keyboard");
	struct search_results r;
	struct err err = {0};

	(void)state;
	q.filters = &wrong;
	q.n_filters = 1;
	assert_int_equal(search_find(&q, &f.arena, &r, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "\"prize\""));
	q = ask("keyboard");
	q.order.attribute = "prize";
	assert_int_equal(search_find(&q, &f.arena, &r, &err), -ERR_INVALID_ARGUMENT);
}

/* --- pages and orders ------------------------------------------------------------------------ */

static void expect_hits(const struct search_results *r, const struct search_found *want, size_t n,
			const char *what)
{
	assert_int_equal(r->n, n);
	for (size_t i = 0; i < n; i++) {
		if (r->hits[i].number != want[i].number)
			fail_msg("%s: hit %zu is %u instead of %u", what, i, r->hits[i].number,
				 want[i].number);
	}
}

static void check_pages(struct search_find q, const char *what)
{
	struct search_results all;
	size_t reached = 0;

	q.limit = MANY;
	all = find(&q);
	assert_int_equal(all.n, all.total < MANY ? all.total : MANY);
	for (size_t limit = 7; reached < all.n && reached < 450; reached += limit, limit += 3) {
		size_t left = all.n - reached;
		struct search_results page;

		q.offset = reached;
		q.limit = limit;
		page = find(&q);
		assert_int_equal(page.total, all.total);
		expect_hits(&page, all.hits + reached, left < limit ? left : limit, what);
	}
	q.offset = all.total;
	assert_int_equal(find(&q).n, 0);
}

static void check_each_once(struct search_find q)
{
	bool seen[DOCUMENTS] = {0};
	struct search_results all;

	q.limit = DOCUMENTS;
	all = find(&q);
	assert_int_equal(all.n, all.total);
	for (size_t i = 0; i < all.n; i++) {
		assert_false(seen[all.hits[i].number]);
		seen[all.hits[i].number] = true;
	}
}

/* Also beyond the hits whose meaning is looked up. */
static void pages_have_each_hit_once(void **state)
{
	static const struct search_order orders[] = {
	    {NULL, false}, {"price", false}, {"price", true}, {"brand", true}, {"made", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i += 1) {
		struct look *l = take_look(i);

		for (size_t o = 0; o < ARRAY_LEN(orders); o += 1 + i % 3) {
			struct search_find q = ask_look(l);

			q.facets = no_facets;
			q.order = orders[o];
			check_pages(q, l->query);
			if (l->mode == SEARCH_HYBRID) {
				q.fusion = SEARCH_RRF;
				check_pages(q, l->query);
			}
			check_each_once(q);
		}
	}
}

static double value_of(uint32_t i, const char *attribute)
{
	const struct model *m = &model[i];

	if (cstr_equal(attribute, "price"))
		return m->has_price ? m->price : (double)NAN;
	if (cstr_equal(attribute, "made"))
		return m->made_ms ? (double)m->made_ms : (double)NAN;
	return m->brand == BRANDS ? (double)NAN : brands[m->brand][0];
}

/* Each window of the corpus has documents without a value. */
static void orders_put_documents_without_a_value_last(void **state)
{
	static const struct search_order orders[] = {{"price", false}, {"price", true},
						     {"made", false},  {"made", true},
						     {"brand", false}, {"brand", true}};

	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
		struct search_find q = ask("keyboard");
		struct search_results r;
		size_t missing = 0;

		q.order = orders[o];
		q.limit = DOCUMENTS;
		r = find(&q);
		assert_true(r.n > 1000);
		for (size_t i = 1; i < r.n; i++) {
			double a = value_of(r.hits[i - 1].number, orders[o].attribute);
			double b = value_of(r.hits[i].number, orders[o].attribute);

			missing += isnan(b) != 0;
			if (isnan(b) || (!isnan(a) && (orders[o].is_descending ? a >= b : a <= b)))
				continue;
			fail_msg("%s%s: %.15g stands before %.15g",
				 orders[o].is_descending ? "-" : "", orders[o].attribute, a, b);
		}
		assert_true(missing > 100);
	}
}

static void the_order_that_is_understood_counts_without_another(void **state)
{
	struct search_find q = ask("keyboard");
	struct search_understood u = *q.understood;
	struct search_results a, b;

	(void)state;
	q.order = (struct search_order){"price", true};
	a = find(&q);
	q.order.attribute = NULL;
	u.order = (struct search_order){"price", true};
	q.understood = &u;
	b = find(&q);
	expect_hits(&b, a.hits, a.n, "-price");
	q.order = (struct search_order){"made", true};
	b = find(&q);
	assert_true(b.hits[0].number != a.hits[0].number);
}

static void better_hits_come_first_and_say_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct look *l = take_look(i);
		struct search_find q = ask_look(l);
		struct search_results r;

		q.limit = 100;
		q.explain = true;
		r = find(&q);
		for (size_t k = 0; k < r.n; k++) {
			const struct search_found *h = &r.hits[k];
			double of_words = l->mode == SEARCH_VECTOR ? 0 : 1;
			double meaning = l->mode == SEARCH_VECTOR ? 1
					 : l->mode == SEARCH_HYBRID
					     ? ranking.meaning * (1 - (double)h->share)
					     : 0;
			double want =
			    of_words * (ranking.words * (double)h->words +
					ranking.share * (double)h->share * (double)h->share +
					ranking.title * (double)h->title * (double)h->title) +
			    meaning * (double)h->meaning + ranking.boost * (double)h->boost;

			assert_true(k == 0 || h->score <= r.hits[k - 1].score);
			assert_true(fabs(want - (double)h->score) < 1e-5);
			if (l->has_meaning && l->mode != SEARCH_LEXICAL)
				assert_true(fabsf(fmaxf(cosine(asked, h->number), 0) - h->meaning) <
					    1e-6F);
			assert_true(l->allowed[h->number]);
		}
	}
}

static void windows_that_cannot_matter_are_only_counted(void **state)
{
	struct search_find q = ask("special");
	struct search_results some, all;

	(void)state;
	some = find(&q);
	assert_true(some.windows == 3 && some.scored < 3);
	q.limit = DOCUMENTS;
	all = find(&q);
	assert_true(all.scored == 3 && all.total == some.total);
	expect_hits(&some, all.hits, 10, "special");
	q = ask("keyboard monitor printer cable speaker special");
	q.limit = 100;
	some = find(&q);
	q.limit = DOCUMENTS;
	all = find(&q);
	expect_hits(&some, all.hits, 100, "all");
}

static void what_each_word_gives_is_the_score(void **state)
{
	struct search_find q = ask("keyboard monitor special");
	struct search_results r;
	double whole = 0;

	(void)state;
	q.explain = true;
	r = find(&q);
	assert_int_equal(r.n_used, 3);
	assert_string_equal(r.used[1].word, "monitor");
	assert_true(r.used[1].documents > 100);
	for (size_t i = 0; i < r.n; i++) {
		double sum = 0;

		for (size_t k = 0; k < r.n_used; k++)
			sum += (double)r.hits[i].clauses[k];
		sum /= (double)r.hits[i].words;
		whole = i ? whole : sum;
		assert_true(fabs(sum / whole - 1) < 1e-4);
	}
}

/* --- conditions that are given up ------------------------------------------------------------ */

static struct search_constraint constraint(const char *text, double certainty)
{
	return (struct search_constraint){.filter = filter(text),
					  .ask = SEARCH_ASK_FILTER,
					  .certainty = certainty,
					  .reading = text};
}

static struct search_results find_with(const char *query, const struct search_constraint *list,
				       size_t n)
{
	struct search_find q = ask(query);
	struct search_understood u = *q.understood;
	struct search_constraint copy[4];

	memcpy(copy, list, n * sizeof(*copy));
	u.constraints = copy;
	u.n_constraints = n;
	q.understood = &u;
	return find(&q);
}

static void the_least_certain_condition_is_given_up_first(void **state)
{
	const struct search_constraint list[] = {constraint("price<500", 0.9),
						 constraint("brand=Nobody", 0.5),
						 constraint("price>700", 0.4)};
	struct search_results r = find_with("keyboard", list, 3);

	(void)state;
	assert_int_equal(r.relaxed, 1 << 1 | 1 << 2); /* the second was not enough */
	assert_true(r.total > 1000);
	for (size_t i = 0; i < r.n; i++)
		assert_true(model[r.hits[i].number].has_price);
	assert_true(r.facets[1].n == BRANDS); /* those of what is left */
}

static void nothing_is_given_up_without_need_or_use(void **state)
{
	const struct search_constraint list[] = {constraint("price<500", 0.1),
						 constraint("brand=Sony", 0.5)};
	struct search_results r = find_with("keyboard", list, 2);

	(void)state;
	assert_true(r.relaxed == 0 && r.total > 100);
	r = find_with("unheardof", list, 2); /* no document has the word at all */
	assert_true(r.relaxed == 0 && r.total == 0);
}

static void conditions_that_are_asked_for_are_never_given_up(void **state)
{
	struct search_filter none = filter("brand=Nobody");
	struct search_find q = ask("keyboard");
	struct search_results r;

	(void)state;
	q.filters = &none;
	q.n_filters = 1;
	r = find(&q);
	assert_true(r.total == 0 && r.n == 0 && r.relaxed == 0 && r.allowed == 0);
	assert_int_equal(r.facets[1].n, BRANDS); /* what could be chosen */
}

static void boosts_put_hits_first(void **state)
{
	struct search_constraint boost = constraint("brand=Zoom", 0.9);
	struct search_results with, without;

	(void)state;
	boost.ask = SEARCH_ASK_BOOST;
	with = find_with("cable", &boost, 1);
	without = find_with("cable", &boost, 0);
	assert_true(with.total == without.total && with.relaxed == 0);
	assert_int_equal(model[with.hits[0].number].brand, 3);
	for (size_t i = 0; i < with.n; i++)
		assert_true((with.hits[i].boost > 0) == (model[with.hits[i].number].brand == 3));
}

static void put_shoe(struct search_corpus *c, uint32_t key, bool can_be_had, double rating)
{
	bson_t b = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&b, "name", "shoe");
	BSON_APPEND_INT32(&b, "stock", can_be_had ? 3 : 0);
	if (rating > 0)
		BSON_APPEND_DOUBLE(&b, "rating", rating);
	corpus_fixture_put(c, key, &b);
	bson_destroy(&b);
}

static void what_the_shop_prefers_comes_first_among_equals(void **state)
{
	static const char text[] =
	    "collections:\n"
	    "  c:\n"
	    "    title: name\n"
	    "    texts: [{parts: [{say: x}]}]\n"
	    "    fields: {name: {parts: [{field: name}]}}\n"
	    "    attributes:\n"
	    "      stock: {field: stock, type: boolean, above: 0, prefer: 1}\n"
	    "      rating: {field: rating, type: number, valid: [1, 5], prefer: 2}\n";
	static const float boosts[] = {3, 2, 1.5F, 1, 0}; /* (rating - 1) / 4 * 2 + stock */
	struct corpus_fixture shop;
	struct search_corpus *c;
	struct search_find q = ask("shoe");
	struct search_results r;

	(void)state;
	corpus_fixture_start(&shop, text);
	c = corpus_fixture_open(&shop, "preferred", 1);
	put_shoe(c, 0, false, 0);
	put_shoe(c, 1, true, 0);
	put_shoe(c, 2, false, 4);
	put_shoe(c, 3, true, 3);
	put_shoe(c, 4, true, 5);
	q.corpus = c;
	r = find(&q);
	assert_int_equal(r.n, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(r.hits[i].number, 4 - i);
		assert_float_equal(r.hits[i].boost, boosts[i], 1e-6);
	}
	search_corpus_free(c);
	assert_int_equal(corpus_fixture_end(&shop), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
	    TEST(totals_are_those_of_an_exhaustive_look),
	    TEST(facets_count_what_could_be_chosen_instead),
	    TEST(whoever_is_counted_is_told),
	    TEST(only_the_facets_that_are_asked_for_are_counted),
	    TEST(what_is_not_there_is_an_error),
	    TEST(pages_have_each_hit_once),
	    TEST(orders_put_documents_without_a_value_last),
	    TEST(the_order_that_is_understood_counts_without_another),
	    TEST(better_hits_come_first_and_say_why),
	    TEST(windows_that_cannot_matter_are_only_counted),
	    TEST(what_each_word_gives_is_the_score),
	    TEST(the_least_certain_condition_is_given_up_first),
	    TEST(nothing_is_given_up_without_need_or_use),
	    TEST(conditions_that_are_asked_for_are_never_given_up),
	    TEST(boosts_put_hits_first),
	    TEST(what_the_shop_prefers_comes_first_among_equals),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
