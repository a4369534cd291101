/*
 * "More like this": documents like one that is there, and customers like a customer.
 *
 * Candidates are the nearest by the document's vector, and those that share its most telling words
 * (by their frequency in it and their rarity elsewhere), which are all there are while vectors are
 * being made. What both have in common by the rules, such as category and price, is added to the
 * nearness; then the best are gone through, and what is another variant of the document itself or
 * of one that is better stands there instead of being a hit (search_twins.h).
 *
 * In a query, "customers like 15" asks the same: the rules say by which words.
 */
#include "search/search_engine_int.h"

#include "base/clock.h"
#include "search/search_allowed.h"
#include "search/search_answer.h"
#include "search/search_twins.h"
#include "vector/vector.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <roaring/roaring.h>
#include <stdlib.h>

#include "base/banned.h"

#define CANDIDATES_MAX 512 /* of each kind */
#define CANDIDATES_MIN 64  /* variants and what is far in price take some */
#define PER_HIT	       4
#define TERMS_MAX      1024 /* of the document that are weighed */
#define TELLING_MAX    16   /* of them those that are looked for */
#define COUNT_MAX      3    /* a word that stands there more often says no more */
#define COMMON_SHARE   0.1  /* a word that so many documents have says nothing */
#define SHOWN_WORDS    3
#define NEAR_RATIO     0.5 /* a number counts as near from half of the other one on */
#define LIKE_RATIO     0.8 /* and is called so */

struct telling { /* a word of the document */
	uint32_t term;
	struct str word;
	double weight;
	unsigned count;
};

struct likely {
	uint32_t number;
	struct str key;
	float cosine; /* 0: it has no vector */
	float words;  /* share of the telling words, 0 to 1 */
	float score;
	const char *reason;
	struct search_record record;
	struct search_twin twin;
	struct str *variants;
	size_t n_variants, cap_variants;
};

struct liking {
	struct search_desk *d;
	const struct search_like *q;
	const struct search_likeness *rules;
	struct search_corpus_view view;
	uint32_t number;
	struct likely self;
	uint64_t *allowed;
	struct telling *telling;
	size_t n_telling;
	struct search_walk *walk; /* NULL: no words */
	struct likely *items;
	size_t n, cap;
	struct search_twins twins;
	struct likely **hits;
	size_t n_hits;
	const char *wrong;
};

/* --- words ----------------------------------------------------------------------------------- */

static void count_word(struct liking *k, const struct search_token *t, double weight)
{
	uint32_t term = search_terms_find(k->view.terms, t->term), n;
	size_t i = 0;

	if (term == SEARCH_TERM_NONE)
		return;
	n = search_lexical_documents(k->view.lexical, term);
	if (n < 2 || n > (double)k->view.documents * COMMON_SHARE)
		return;
	while (i < k->n_telling && k->telling[i].term != term)
		i++;
	if (i == TERMS_MAX)
		return;
	if (i == k->n_telling)
		k->telling[k->n_telling++] =
		    (struct telling){.term = term, .word = arena_str(&k->d->arena, t->folded)};
	if (k->telling[i].count++ < COUNT_MAX)
		k->telling[i].weight +=
		    weight * log(1 + ((double)k->view.documents - n + 0.5) / (n + 0.5));
}

static int most_telling_first(const void *a, const void *b)
{
	const struct telling *x = a, *y = b;

	if (x->weight < y->weight || x->weight > y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->term < y->term ? -1 : 1;
}

static void find_telling(struct liking *k)
{
	const struct search_collection *c = k->view.rules;
	struct search_tokens tokens = {0};

	k->telling = arena_alloc(&k->d->arena, (TERMS_MAX + 1) * sizeof(*k->telling));
	for (size_t f = 0; f < c->n_fields; f++) {
		if (!(k->rules->fields >> f & 1))
			continue;
		search_analyze(k->d->analyzer, k->self.record.texts[f], &tokens);
		for (size_t i = 0; i < tokens.n; i++) {
			if (!tokens.items[i].is_piece && !tokens.items[i].is_stop)
				count_word(k, &tokens.items[i], c->fields[f].weight);
		}
	}
	search_tokens_done(&tokens);
	if (k->n_telling)
		qsort(k->telling, k->n_telling, sizeof(*k->telling), most_telling_first);
	if (k->n_telling > TELLING_MAX)
		k->n_telling = TELLING_MAX;
}

static void start_walk(struct liking *k)
{
	struct search_clause *clauses =
	    arena_alloc(&k->d->arena, (k->n_telling + 1) * sizeof(*clauses));
	struct search_variant *variants =
	    arena_alloc(&k->d->arena, (k->n_telling + 1) * sizeof(*variants));
	struct search_scoring s = {
	    .clauses = clauses, .n = k->n_telling, .documents = k->view.documents, .title = 1};

	for (size_t i = 0; i < k->n_telling; i++) {
		variants[i] =
		    (struct search_variant){.terms = &k->telling[i].term, .n = 1, .weight = 1};
		clauses[i] = (struct search_clause){
		    .variants = &variants[i], .n = 1, .weight = (float)k->telling[i].weight};
	}
	if (k->n_telling)
		k->walk = search_walk_new(k->view.lexical, &s, &k->d->arena);
}

/* Sorted, best first; the worst goes when there are `cap`. */
static void keep_likely(struct liking *k, uint32_t number, float words)
{
	size_t at;

	if (k->n == k->cap && words <= k->items[k->n - 1].words)
		return;
	at = k->n == k->cap ? k->n - 1 : k->n++;
	for (; at && k->items[at - 1].words < words; at--)
		k->items[at] = k->items[at - 1];
	k->items[at] = (struct likely){.number = number, .words = words};
}

static void take_window(struct liking *k, uint32_t window, const struct search_window *w)
{
	size_t first = (size_t)window * SEARCH_WINDOW_WORDS;
	float total = search_walk_total(k->walk);

	for (size_t i = 0; i < SEARCH_WINDOW_WORDS && first + i < k->view.words; i++) {
		for (uint64_t rest = w->any[i] & k->allowed[first + i]; rest; rest &= rest - 1) {
			uint32_t place = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest);

			keep_likely(k, window * SEARCH_WINDOW + place, w->at[place].score / total);
		}
	}
}

static void find_by_words(struct liking *k)
{
	struct search_window *w = arena_alloc(&k->d->arena, sizeof(*w));

	find_telling(k);
	start_walk(k);
	if (!k->walk)
		return;
	for (uint32_t i = 0; (i = search_walk_next(k->walk, i)) != UINT32_MAX; i++) {
		if (k->n == k->cap && search_walk_bound(k->walk, i) / search_walk_total(k->walk) <=
					  k->items[k->n - 1].words)
			continue;
		search_walk_score(k->walk, i, UINT64_MAX, w);
		take_window(k, i, w);
	}
}

/* --- meaning --------------------------------------------------------------------------------- */

/* NULL: there is none. */
static const float *vector_of(struct liking *k, uint32_t number)
{
	struct search_desk *d = k->d;
	float *vector;

	if (!d->generation)
		return NULL;
	vector = arena_alloc(&d->arena, k->twins.dimension * sizeof(*vector));
	return search_index_vector(d->generation->index, d->lent.rules->name, number, vector,
				   NULL) == 0
		   ? vector
		   : NULL;
}

static struct likely *find_likely(struct liking *k, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (k->items[i].number == number)
			return &k->items[i];
	}
	return NULL;
}

/* Those found by words have theirs now too. */
static int add_cosines(struct liking *k, size_t n, struct err *err)
{
	uint32_t *numbers = arena_alloc(&k->d->arena, (n + 1) * sizeof(*numbers));
	float *cosines = arena_alloc(&k->d->arena, (n + 1) * sizeof(*cosines));
	int r;

	for (size_t i = 0; i < n; i++)
		numbers[i] = k->items[i].number;
	r = search_index_cosines(k->d->generation->index, k->d->lent.rules->name,
				 k->self.twin.vector, numbers, n, cosines, err);
	for (size_t i = 0; i < n && r == 0; i++)
		k->items[i].cosine = cosines[i];
	return r;
}

static int find_by_meaning(struct liking *k, struct err *err)
{
	struct vector_hit *near = arena_alloc(&k->d->arena, (k->cap + 1) * sizeof(*near));
	roaring_bitmap_t *filter = search_allowed_bitmap(&k->view, k->allowed);
	struct search_nearest q = {.collection = k->d->lent.rules->name,
				   .vector = k->self.twin.vector,
				   .k = k->cap,
				   .filter = filter};
	size_t by_words = k->n, n = 0;
	int r = search_index_nearest(k->d->generation->index, &q, near, &n, err);

	roaring_bitmap_free(filter);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct likely *known = find_likely(k, by_words, near[i].id);

		/* A vector may be there before or after its document. */
		if (known || near[i].score <= 0 ||
		    !search_allowed_has(&k->view, k->allowed, near[i].id))
			continue;
		k->items[k->n++] = (struct likely){.number = near[i].id, .cosine = near[i].score};
	}
	return r == 0 ? add_cosines(k, by_words, err) : r;
}

/* --- what both have -------------------------------------------------------------------------- */

struct values { /* of an attribute of a document */
	const struct search_datum *items;
	size_t n;
};

static struct values values_of(const struct search_record *r, size_t attribute)
{
	struct values v = {0};

	for (size_t i = 0; i < r->n_data; i++) {
		if (r->data[i].attribute != attribute)
			continue;
		v.items = v.n ? v.items : &r->data[i];
		v.n++;
	}
	return v;
}

/* How much of it both have: of a path of categories, how far it is the same. */
static double common_texts(struct values a, struct values b)
{
	size_t n = 0;

	for (size_t i = 0; i < a.n; i++) {
		for (size_t j = 0; j < b.n; j++) {
			if (!str_equal(a.items[i].text, b.items[j].text))
				continue;
			n++;
			break;
		}
	}
	return (double)n / (double)(a.n > b.n ? a.n : b.n);
}

/* 1: the same; 0: one is twice the other, or more. */
static double nearness(double a, double b, double *ret_ratio)
{
	*ret_ratio = a > 0 && b > 0 ? (a < b ? a / b : b / a) : 0;
	return *ret_ratio > NEAR_RATIO ? (*ret_ratio - NEAR_RATIO) / (1 - NEAR_RATIO) : 0;
}

static double same_share(struct liking *k, const struct search_same *s, const struct likely *l,
			 struct strbuf *reason)
{
	const struct search_attribute *a = &k->view.rules->attributes[s->attribute];
	struct values mine = values_of(&k->self.record, s->attribute);
	struct values other = values_of(&l->record, s->attribute);
	double share = 0, ratio = 0;

	if (!other.n)
		return 0;
	if (a->type == SEARCH_BOOLEAN)
		return str_equal(other.items[0].text, str_from("true")) ? 1 : 0;
	if (!mine.n)
		return 0;
	if (a->type == SEARCH_TEXT) {
		share = common_texts(mine, other);
		ratio = share >= 1 ? 1 : 0;
	} else if (mine.items[0].is_number && other.items[0].is_number) {
		share = nearness(mine.items[0].number, other.items[0].number, &ratio);
	}
	if (ratio >= LIKE_RATIO)
		strbuf_addf(reason, "%s %s, ", a->type == SEARCH_TEXT ? "same" : "similar",
			    a->title);
	return share;
}

/* The words that both have, the most telling ones first. */
static void add_words(struct liking *k, const struct likely *l, struct strbuf *reason)
{
	float *scores = arena_alloc(&k->d->arena, (k->n_telling + 1) * sizeof(*scores));
	size_t n = 0;

	if (!k->walk)
		return;
	search_walk_explain(k->walk, l->number, scores);
	for (size_t i = 0; i < k->n_telling && n < SHOWN_WORDS; i++) {
		if (scores[i] > 0)
			strbuf_addf(reason, "%s%.*s",
				    n++ ? ", " : "words in common: ", STR_ARGS(k->telling[i].word));
	}
}

static void judge(struct liking *k, struct likely *l)
{
	struct strbuf reason = STRBUF_INIT(1024);
	double score = (double)(l->cosine > 0 ? l->cosine : l->words);

	for (size_t i = 0; i < k->rules->n_same; i++)
		score += k->rules->same[i].weight * same_share(k, &k->rules->same[i], l, &reason);
	if (l->cosine > 0)
		strbuf_addf(&reason, "%s %.2f", k->rules->meaning, (double)l->cosine);
	else
		add_words(k, l, &reason);
	l->score = (float)score;
	l->reason = arena_strdup(&k->d->arena, strbuf_str(&reason));
	strbuf_done(&reason);
}

/* --- hits ------------------------------------------------------------------------------------ */

static int read_likely(struct liking *k, struct likely *l, struct err *err)
{
	struct arena *arena = &k->d->arena;
	struct str key = search_corpus_key(k->d->lent.corpus, l->number);
	int r = search_corpus_record(k->d->lent.corpus, l->number, arena, &l->record, err);

	if (r < 0)
		return r;
	l->key = arena_str(arena, key);
	if (k->rules->twin > 0) {
		l->twin.title = search_twins_title(&k->twins, l->record.title);
		l->twin.vector = vector_of(k, l->number);
	}
	return 0;
}

static int best_first(const void *a, const void *b)
{
	const struct likely *x = a, *y = b;

	if (x->score < y->score || x->score > y->score)
		return x->score < y->score ? 1 : -1;
	return x->number < y->number ? -1 : 1;
}

static void add_variant(struct likely *of, struct str key)
{
	mem_grow(&of->variants, &of->cap_variants, of->n_variants + 1, sizeof(*of->variants));
	of->variants[of->n_variants++] = key;
}

/* Of one thing the best is a hit; the others are its variants. */
static void part_variants(struct liking *k)
{
	k->hits = arena_alloc(&k->d->arena, (k->n + 1) * sizeof(struct likely *));
	for (size_t i = 0; i < k->n; i++) {
		struct likely *l = &k->items[i], *of = NULL;

		if (search_twins_are_one(&k->twins, &k->self.twin, &l->twin))
			of = &k->self;
		for (size_t h = 0; h < k->n_hits && !of; h++) {
			if (search_twins_are_one(&k->twins, &k->hits[h]->twin, &l->twin))
				of = k->hits[h];
		}
		if (of)
			add_variant(of, l->key);
		else
			k->hits[k->n_hits++] = l;
	}
}

static int judge_all(struct liking *k, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < k->n && r == 0; i++) {
		r = read_likely(k, &k->items[i], err);
		if (r == 0)
			judge(k, &k->items[i]);
	}
	if (r == 0 && k->n)
		qsort(k->items, k->n, sizeof(*k->items), best_first);
	if (r == 0)
		part_variants(k);
	return r;
}

/* --- one question ---------------------------------------------------------------------------- */

static int not_found(const struct liking *k, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no document \"%.*s\" in \"%s\"",
		       STR_ARGS(k->q->key), k->q->in);
}

static int find_self(struct liking *k, struct err *err)
{
	int r =
	    search_corpus_record(k->d->lent.corpus, k->number, &k->d->arena, &k->self.record, err);

	if (r == -ERR_NOT_FOUND)
		return not_found(k, err);
	k->self.number = k->number;
	k->self.twin.title = search_twins_title(&k->twins, k->self.record.title);
	k->self.twin.vector = vector_of(k, k->number);
	return r;
}

static int make_allowed(struct liking *k, struct err *err)
{
	const struct search_scope *scope = k->d->lent.scope;
	int r;

	k->allowed = search_allowed_new(&k->view, &k->d->arena);
	search_allowed_drop(&k->view, k->allowed, k->number);
	r = scope ? search_allowed_only(&k->view, scope->filters, scope->n_filters, &k->d->arena,
					k->allowed, err)
		  : 0;
	if (r < 0)
		return r;
	r = search_allowed_only(&k->view, k->q->filters, k->q->n_filters, &k->d->arena, k->allowed,
				err);
	k->wrong = r < 0 ? "filter" : NULL;
	return r;
}

/* Locked. */
static int find_like(struct liking *k, struct err *err)
{
	size_t wanted = k->q->offset + k->q->limit;
	int r = find_self(k, err);

	k->cap = wanted < CANDIDATES_MAX / PER_HIT ? PER_HIT * wanted : CANDIDATES_MAX;
	k->cap = k->cap > CANDIDATES_MIN ? k->cap : CANDIDATES_MIN;
	k->items = arena_alloc(&k->d->arena, 2 * k->cap * sizeof(*k->items));
	if (r == 0)
		r = make_allowed(k, err);
	if (r < 0)
		return r;
	find_by_words(k);
	if (k->self.twin.vector)
		r = find_by_meaning(k, err);
	return r < 0 ? r : judge_all(k, err);
}

static int like(struct liking *k, struct err *err)
{
	struct search_corpus *corpus = k->d->lent.corpus;
	int r;

	if (!search_corpus_find(corpus, k->q->key, &k->number))
		return not_found(k, err);
	k->rules = &k->d->lent.rules->likeness;
	search_corpus_lock(corpus);
	search_corpus_view(corpus, &k->view);
	search_twins_init(&k->twins, &k->view, k->d->analyzer, &k->d->arena);
	if (k->d->generation)
		k->twins.dimension = embedder_info(k->d->generation->embedder)->dimension;
	r = find_like(k, err);
	search_corpus_unlock(corpus);
	return r;
}

static void free_liking(struct liking *k)
{
	search_twins_done(&k->twins);
	mem_free(k->self.variants);
	for (size_t i = 0; i < k->n_hits; i++)
		mem_free(k->hits[i]->variants);
}

/* --- answers --------------------------------------------------------------------------------- */

static void add_hits(const struct liking *k, struct strbuf *json)
{
	size_t first = k->q->offset < k->n_hits ? k->q->offset : k->n_hits;
	size_t n = k->n_hits - first < k->q->limit ? k->n_hits - first : k->q->limit;

	strbuf_addstr(json, ",\"hits\":[");
	for (size_t i = first; i < first + n; i++) {
		const struct likely *l = k->hits[i];

		strbuf_addstr(json, i > first ? ",{" : "{");
		search_answer_hit(k->view.rules, l->key, &l->record, json);
		strbuf_addf(json, ",\"score\":%.5f,\"reason\":", (double)l->score);
		strbuf_add_json(json, l->reason, strlen(l->reason));
		search_answer_variants(l->variants, l->n_variants, json);
		strbuf_addch(json, '}');
	}
	strbuf_addch(json, ']');
}

static void add_name(const struct liking *k, struct strbuf *json)
{
	strbuf_addstr(json, "\"id\":");
	search_answer_key(k->q->key, json);
	strbuf_addstr(json, ",\"name\":");
	strbuf_add_json(json, k->self.record.title.data, k->self.record.title.len);
	strbuf_addf(json, ",\"by\":\"%s\"", k->self.twin.vector ? "meaning" : "words");
	search_answer_variants(k->self.variants, k->self.n_variants, json);
}

int search_engine_similar(struct search_engine *e, const struct search_like *q, struct strbuf *json,
			  const char **ret_wrong, struct err *err)
{
	struct search_desk d = {0};
	struct liking k = {.d = &d, .q = q};
	int64_t since = clock_monotonic_us();
	int r = search_desk_open(e, q->in, &d, err);

	if (r == 0)
		r = like(&k, err);
	if (r == 0) {
		strbuf_addch(json, '{');
		add_name(&k, json);
		add_hits(&k, json);
		strbuf_addf(json, ",\"took_us\":%" PRId64 "}", clock_monotonic_us() - since);
	}
	if (ret_wrong && k.wrong)
		*ret_wrong = k.wrong;
	free_liking(&k);
	search_desk_close(&d);
	return r;
}

/* --- asked for in a query -------------------------------------------------------------------- */

/* What stands behind the phrase; its words match in any case, with any white space between them. */
static bool begins_with(struct str text, const char *phrase, struct str *ret_rest)
{
	size_t at = 0;

	for (const char *c = phrase; *c; c++) {
		bool is_space = *c == ' ';

		if (at == text.len || (is_space ? !isspace((unsigned char)text.data[at])
						: tolower((unsigned char)text.data[at]) !=
						      tolower((unsigned char)*c)))
			return false;
		at++;
		while (is_space && at < text.len && isspace((unsigned char)text.data[at]))
			at++;
	}
	if (at == text.len || !isspace((unsigned char)text.data[at]))
		return false;
	*ret_rest = str_trim((struct str){text.data + at, text.len - at});
	return true;
}

static bool find_asked(struct search_desk *d, struct str query, struct str *ret, const char **words)
{
	const struct search_likeness *l = &d->lent.rules->likeness;
	uint32_t unused;

	for (size_t i = 0; i < l->n_ask; i++) {
		if (!begins_with(str_trim(query), l->ask[i], ret) || !ret->len)
			continue;
		if (*ret->data == '#')
			*ret = (struct str){ret->data + 1, ret->len - 1};
		*words = l->ask[i];
		if (search_corpus_find(d->lent.corpus, *ret, &unused))
			return true;
	}
	return false;
}

bool search_similar_is_asked(struct search_desk *d, const struct search_request *q)
{
	struct str key;
	const char *words;

	return !q->is_literal && !(q->without & 1) && find_asked(d, q->query, &key, &words);
}

static void add_parsed(const struct liking *k, const struct search_request *q, const char *words,
		       struct strbuf *json)
{
	struct str whole = str_trim(q->query);
	size_t start = (size_t)(whole.data - q->query.data);

	strbuf_addstr(json, "{\"query\":");
	strbuf_add_json(json, q->query.data, q->query.len);
	strbuf_addstr(json, ",\"parsed\":{\"text\":\"\",\"filters\":[],\"phrases\":[],"
			    "\"sort\":\"relevance\",\"similar\":{\"id\":");
	search_answer_key(k->q->key, json);
	strbuf_addstr(json, ",\"reading\":");
	strbuf_add_json(json, words, strlen(words));
	strbuf_addstr(json, ",\"words\":");
	strbuf_add_json(json, whole.data, whole.len);
	strbuf_addf(json, ",\"span\":[%zu,%zu],\"number\":0}}", start, start + whole.len);
	strbuf_addf(json, ",\"mode\":\"%s\",\"total\":%zu",
		    k->self.twin.vector ? "vector" : "lexical", k->n_hits);
}

int search_similar_answer(struct search_desk *d, const struct search_request *q,
			  struct strbuf *json, const char **ret_wrong, struct err *err)
{
	struct search_like like_this = {.in = q->in,
					.filters = q->filters,
					.n_filters = q->n_filters,
					.limit = q->limit,
					.offset = q->offset};
	struct liking k = {.d = d, .q = &like_this};
	int64_t since = clock_monotonic_us();
	const char *words = "";
	int r;

	if (!find_asked(d, q->query, &like_this.key, &words))
		return err_set(err, ERR_NOT_FOUND, "the document is gone");
	r = like(&k, err);
	if (r == 0) {
		add_parsed(&k, q, words, json);
		add_hits(&k, json);
		strbuf_addf(json, ",\"facets\":[],\"notes\":[],\"took_us\":%" PRId64 "}",
			    clock_monotonic_us() - since);
	}
	if (k.wrong)
		*ret_wrong = k.wrong;
	free_liking(&k);
	return r;
}
