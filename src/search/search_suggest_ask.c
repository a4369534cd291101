/*
 * What is suggested for what was typed so far: see search_suggest.h.
 *
 * The words before the last one are corrected where no document has them, or left out. The last one
 * is completed: with all words before it, with the one before it, and alone, each time by the
 * prefix; when nothing begins so, by what it may have been meant to begin. What comes of it is
 * counted in the index as it is now, so that nothing is suggested that leads nowhere, and what
 * leads to the same documents ("keyboard", "keyboards") is said once.
 *
 * A value behind other words narrows them ("quiet key": quiet in Keyboards). So do the values of
 * the scope's attribute that fit the best words best: by the harmonic mean of how much of the
 * words' documents they have and how much of theirs these are, which prefers "Keyboards" to all
 * above it.
 */
#include "search/search_suggest.h"

#include "base/clock.h"
#include "search/search_allowed.h"
#include "search/search_answer.h"
#include "search/search_engine_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/banned.h"

#define FOUND_MAX      16 /* completions of one prefix that are looked at */
#define CORRECTED_MAX  4
#define ITEMS_MAX      96
#define SCOPES_LOOKED  64
#define SCOPES_KEPT    2
#define FIT_BETA       0.5
#define ENOUGH	       3 /* titles that go on so, for other words not to be looked for */
#define SCOPE_MIN      2 /* documents that make it worth saying */
#define DOCUMENTS_KEPT 3
#define DOCUMENTS_FEW  64 /* documents whose titles are looked at */
#define BEGINNINGS     16 /* terms that the last word may begin */
#define TERMS_MAX      (2 * SEARCH_SUGGEST_WORDS_MAX + 8)

struct item {
	struct search_prompted is;
	struct str same; /* what leads to the same documents is the same */
	bool is_chance;
};

struct prompting {
	const struct search_prompt *p;
	struct arena *arena;
	struct str words[SEARCH_SUGGEST_WORDS_MAX]; /* complete ones, corrected */
	size_t n_words;
	struct str last; /* being typed; empty: none */
	bool is_chance;	 /* what is offered is no phrase of titles */
	bool is_loose;	 /* no document has all the words: the completed one is counted */
	uint64_t *bits;	 /* scratch: whole windows */
	size_t n_bits;
	struct item items[ITEMS_MAX];
	size_t n;
};

struct terms { /* all of which documents have */
	uint32_t items[TERMS_MAX];
	size_t n;
};

/* --- documents ------------------------------------------------------------------------------- */

static uint32_t documents_of(const struct prompting *k, uint32_t term)
{
	return term == SEARCH_TERM_NONE ? 0 : search_lexical_documents(k->p->view->lexical, term);
}

static uint32_t term_of(const struct prompting *k, struct str word)
{
	const struct search_terms *terms = k->p->view->terms;
	uint32_t term = search_terms_find(terms, search_analyzer_stem(k->p->analyzer, word));

	if (!documents_of(k, term))
		term = search_terms_find(terms, word);
	return documents_of(k, term) ? term : SEARCH_TERM_NONE;
}

/* Adds the terms of words with a space between them; false: no document has one of them. */
static bool add_terms(const struct prompting *k, struct str words, struct terms *ret)
{
	while (words.len) {
		const char *space = memchr(words.data, ' ', words.len);
		size_t n = space ? (size_t)(space - words.data) : words.len;
		uint32_t term = term_of(k, (struct str){words.data, n});

		if (term == SEARCH_TERM_NONE || ret->n == TERMS_MAX)
			return false;
		ret->items[ret->n++] = term;
		words =
		    (struct str){words.data + n + (space != NULL), words.len - n - (space != NULL)};
	}
	return true;
}

static void mark(struct prompting *k, const struct terms *t)
{
	memset(k->bits, 0, k->n_bits * sizeof(*k->bits));
	search_lexical_mark(k->p->view->lexical, t->items, t->n, k->bits, k->p->view->words);
}

static uint32_t count_terms(struct prompting *k, const struct terms *t)
{
	if (t->n == 1)
		return documents_of(k, t->items[0]);
	mark(k, t);
	return search_allowed_count(k->p->view, k->bits);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* --- items ----------------------------------------------------------------------------------- */

static bool is_known(const struct prompting *k, struct str same)
{
	for (size_t i = 0; i < k->n; i++) {
		if (str_equal(k->items[i].same, same))
			return true;
	}
	return false;
}

static void add_item(struct prompting *k, const struct search_prompted *p, const char *same)
{
	if (!p->documents || k->n == ITEMS_MAX)
		return;
	k->items[k->n].is = *p;
	k->items[k->n].is_chance = k->is_chance;
	k->items[k->n++].same = str_from(same);
}

/* The first `n` of the words before the last one, and `more`. */
static const char *join(const struct prompting *k, size_t n, struct str more)
{
	struct strbuf b = STRBUF_INIT(8192);
	const char *ret;

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, "%s%.*s", b.len ? " " : "", STR_ARGS(k->words[i]));
	if (more.len)
		strbuf_addf(&b, "%s%.*s", b.len ? " " : "", STR_ARGS(more));
	ret = arena_strdup(k->arena, strbuf_str(&b));
	strbuf_done(&b);
	return ret;
}

static void offer_words(struct prompting *k, size_t before, struct str words)
{
	struct search_prompted p = {.kind = SEARCH_PROMPTED_WORD, .text = join(k, before, words)};
	struct terms t = {.n = 0};
	struct strbuf same = STRBUF_INIT(4096);

	if (!add_terms(k, k->is_loose ? words : str_from(p.text), &t) || !t.n)
		return;
	qsort(t.items, t.n, sizeof(*t.items), by_number);
	strbuf_addstr(&same, "words");
	for (size_t i = 0; i < t.n; i++) {
		if (!i || t.items[i] != t.items[i - 1])
			strbuf_addf(&same, " %u", t.items[i]);
	}
	if (!is_known(k, strbuf_slice(&same))) {
		p.documents = count_terms(k, &t);
		add_item(k, &p, arena_strdup(k->arena, strbuf_str(&same)));
	}
	strbuf_done(&same);
}

static const char *attribute_name(const struct prompting *k, int attribute)
{
	return k->p->view->rules->attributes[attribute].name;
}

/* Documents that have all these terms, and each of the values. */
static uint32_t count_values(struct prompting *k, const struct terms *t, const char *attribute,
			     const char *const *values, size_t n)
{
	mark(k, t);
	for (size_t i = 0; i < n; i++) {
		const char *value = values[i];
		struct search_filter f = {.attribute = attribute,
					  .kind = SEARCH_FILTER_VALUES,
					  .n_values = 1,
					  .values = &value};

		if (search_columns_filter(k->p->view->columns, &f, k->bits, k->p->view->words,
					  NULL) < 0)
			return 0;
	}
	return search_allowed_count(k->p->view, k->bits);
}

static void offer_scope(struct prompting *k, const char *text, int attribute, const char *value)
{
	struct search_prompted p = {.kind = SEARCH_PROMPTED_SCOPE,
				    .text = text,
				    .attribute = attribute_name(k, attribute),
				    .value = value};
	const char *same = arena_printf(k->arena, "%s %s=%s", text, p.attribute, value);
	struct terms t = {.n = 0};

	if (is_known(k, str_from(same)) || !add_terms(k, str_from(text), &t) || !t.n)
		return;
	p.documents = count_values(k, &t, p.attribute, &value, 1);
	add_item(k, &p, same);
}

static void offer_value(struct prompting *k, const struct search_completion *c)
{
	struct search_prompted p = {.kind = SEARCH_PROMPTED_VALUE,
				    .text = c->text.data,
				    .attribute = attribute_name(k, c->attribute),
				    .value = c->text.data,
				    .documents = c->documents};
	const char *same = arena_printf(k->arena, "%s=%s", p.attribute, p.value);

	if (!is_known(k, str_from(same)))
		add_item(k, &p, same);
}

static size_t offer_found(struct prompting *k, size_t before, struct str prefix)
{
	struct search_completion found[FOUND_MAX];
	size_t n = search_suggestions_find(k->p->suggestions, prefix, found, FOUND_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct search_completion *c = &found[i];

		if (c->attribute < 0)
			offer_words(k, before, c->text);
		else if (!before)
			offer_value(k, c);
		else
			offer_scope(k, join(k, before, (struct str){0}), c->attribute,
				    c->text.data);
	}
	return n;
}

/* --- what was typed -------------------------------------------------------------------------- */

/* One that no document has is corrected; one that cannot be is left out. */
static void take_word(struct prompting *k, const struct search_token *t)
{
	struct str word = t->folded, better;

	if (k->n_words == SEARCH_SUGGEST_WORDS_MAX)
		return;
	if (!documents_of(k, search_terms_find(k->p->view->terms, t->term)) &&
	    term_of(k, word) == SEARCH_TERM_NONE) {
		if (!search_suggestions_correct(k->p->suggestions, word, false, &better, 1))
			return;
		word = better;
	}
	k->words[k->n_words++] = arena_str(k->arena, word);
}

static void read_typed(struct prompting *k)
{
	struct search_tokens tokens = {0};
	size_t whole = SIZE_MAX;

	search_analyze(k->p->analyzer, k->p->typed, &tokens);
	for (size_t i = 0; i < tokens.n; i++) {
		if (tokens.items[i].is_piece)
			continue;
		if (whole != SIZE_MAX)
			take_word(k, &tokens.items[whole]);
		whole = i;
	}
	if (whole != SIZE_MAX && tokens.items[whole].end < k->p->typed.len) {
		take_word(k, &tokens.items[whole]);
	} else if (whole != SIZE_MAX) {
		struct str last = tokens.items[whole].folded;

		k->last = arena_str(k->arena, last);
	}
	search_tokens_done(&tokens);
}

/* By what titles say, and where that is little by any word; false: nothing begins so. */
static bool complete(struct prompting *k, struct str last)
{
	size_t words = k->n_words;
	bool is_any;

	if (words)
		(void)offer_found(k, 0, str_from(join(k, words, last)));
	if (words > 1)
		(void)offer_found(
		    k, words - 1,
		    str_from(arena_printf(k->arena, "%.*s %.*s", STR_ARGS(k->words[words - 1]),
					  STR_ARGS(last))));
	if (k->n >= ENOUGH)
		return true;
	k->is_chance = words > 0;
	is_any = offer_found(k, words, last) || k->n;
	k->is_loose = !k->n;
	if (k->is_loose)
		(void)offer_found(k, words, last);
	k->is_loose = k->is_chance = false;
	return is_any;
}

static void complete_last(struct prompting *k)
{
	struct str better[CORRECTED_MAX];
	bool is_any = complete(k, k->last), is_word = term_of(k, k->last) != SEARCH_TERM_NONE;
	size_t n = 0;

	if (k->last.len > 1 && is_word)
		offer_words(k, k->n_words, k->last);
	if (!is_any && !is_word)
		n = search_suggestions_correct(k->p->suggestions, k->last, true, better,
					       CORRECTED_MAX);
	for (size_t i = 0; i < n; i++)
		(void)complete(k, better[i]);
	if (!k->n && k->n_words)
		offer_words(k, k->n_words, (struct str){0});
}

/* A word is complete: what may come next. */
static void continue_words(struct prompting *k)
{
	struct str whole = str_from(join(k, k->n_words, (struct str){0}));

	offer_words(k, k->n_words, (struct str){0});
	(void)offer_found(k, 0, str_from(arena_printf(k->arena, "%s ", whole.data)));
	if (k->n_words > 1)
		(void)offer_found(
		    k, k->n_words - 1,
		    str_from(arena_printf(k->arena, "%.*s ", STR_ARGS(k->words[k->n_words - 1]))));
}

/* --- narrowing ------------------------------------------------------------------------------- */

/* What titles say goes before what only happens to stand in one document. */
static int most_documents_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->is_chance != y->is_chance)
		return x->is_chance ? 1 : -1;
	if (x->is.documents != y->is.documents)
		return x->is.documents < y->is.documents ? 1 : -1;
	if (x->is.kind != y->is.kind)
		return (int)x->is.kind - (int)y->is.kind;
	return str_compare(x->same, y->same);
}

/* NULL: there are none. */
static const struct item *best_words(const struct prompting *k)
{
	const struct item *best = NULL;

	for (size_t i = 0; i < k->n; i++) {
		const struct item *item = &k->items[i];

		if (item->is.kind == SEARCH_PROMPTED_WORD &&
		    (!best || most_documents_first(item, best) < 0))
			best = item;
	}
	return best;
}

struct fit {
	const char *value;
	uint32_t documents;
	double how;
};

static int best_fit_first(const void *a, const void *b)
{
	const struct fit *x = a, *y = b;

	if (x->how < y->how || x->how > y->how)
		return x->how < y->how ? 1 : -1;
	return strcmp(x->value, y->value);
}

static double fit_of(const struct prompting *k, const struct search_prompted *words,
		     const struct search_facet *f)
{
	double total = search_suggestions_total(k->p->suggestions, f->value);
	double of_value = total > 0 ? f->documents / total : 0;
	double of_words = f->documents / (double)words->documents;
	double sum = FIT_BETA * FIT_BETA * of_value + of_words;

	return sum > 0 && f->documents >= SCOPE_MIN
		   ? (1 + FIT_BETA * FIT_BETA) * of_value * of_words / sum
		   : 0;
}

/* "laptop in Laptops" says nothing that "Laptops" does not. */
static bool is_same_word(const struct prompting *k, const struct terms *words, const char *value)
{
	struct terms t = {.n = 0};
	struct search_tokens tokens = {0};
	bool is_same = true;

	search_analyze(k->p->analyzer, str_from(value), &tokens);
	for (size_t i = 0; i < tokens.n && is_same; i++)
		is_same = tokens.items[i].is_piece || add_terms(k, tokens.items[i].folded, &t);
	search_tokens_done(&tokens);
	for (size_t i = 0; i < t.n && is_same; i++) {
		size_t w = 0;

		while (w < words->n && words->items[w] != t.items[i])
			w++;
		is_same = w < words->n;
	}
	return is_same;
}

/* The best fits, but none that says what the words or a better one say, or a class above that. */
static void offer_fits(struct prompting *k, const struct search_prompted *words,
		       const struct terms *t, const struct fit *fits, size_t n)
{
	int scope = search_suggestions_scope(k->p->suggestions);
	const char *attribute = attribute_name(k, scope);

	for (size_t i = 0, kept = 0; i < n && kept < SCOPES_KEPT && fits[i].how > 0; i++) {
		bool is_above = false;

		for (size_t j = 0; j < i && !is_above; j++)
			is_above = count_values(k, t, attribute,
						(const char *[]){fits[i].value, fits[j].value},
						2) == fits[j].documents;
		if (is_above || is_same_word(k, t, fits[i].value))
			continue;
		offer_scope(k, words->text, scope, fits[i].value);
		kept++;
	}
}

static void narrow(struct prompting *k)
{
	const struct item *best = best_words(k);
	const struct search_prompted *words = best ? &best->is : NULL;
	int scope = search_suggestions_scope(k->p->suggestions);
	struct search_counter *counter;
	const struct search_facet *facets;
	struct fit fits[SCOPES_LOOKED];
	struct terms t = {.n = 0};
	uint16_t places[SEARCH_WINDOW];
	double min, max;
	size_t n;

	if (!words || scope < 0 || !add_terms(k, str_from(words->text), &t) ||
	    search_counter_new(k->p->view->columns, attribute_name(k, scope), k->arena, &counter,
			       NULL) < 0)
		return;
	mark(k, &t);
	for (uint32_t w = 0; w * (size_t)SEARCH_WINDOW_WORDS < k->n_bits; w++)
		search_counter_add(
		    counter, w, places,
		    search_places(k->bits + w * (size_t)SEARCH_WINDOW_WORDS, places));
	n = search_counter_result(counter, SCOPES_LOOKED, k->arena, &facets, &min, &max);
	for (size_t i = 0; i < n; i++)
		fits[i] = (struct fit){facets[i].value, facets[i].documents,
				       fit_of(k, words, &facets[i])};
	if (n)
		qsort(fits, n, sizeof(*fits), best_fit_first);
	k->is_chance = best->is_chance;
	offer_fits(k, words, &t, fits, n);
	k->is_chance = false;
}

/* --- documents by their titles --------------------------------------------------------------- */

/* Each typed word is a word of the title; the last one begins one. */
static bool is_titled(const struct prompting *k, const struct search_tokens *title)
{
	for (size_t i = 0; i < k->n_words + 1; i++) {
		struct str word = i < k->n_words ? k->words[i] : k->last;
		bool is_there = false;

		for (size_t t = 0; t < title->n && !is_there; t++) {
			struct str other = title->items[t].folded;

			is_there = i < k->n_words
				       ? str_equal(other, word)
				       : other.len >= word.len &&
					     memcmp(other.data, word.data, word.len) == 0;
		}
		if (!is_there)
			return false;
	}
	return true;
}

static bool offer_document(struct prompting *k, uint32_t number, struct search_tokens *scratch)
{
	struct search_prompted p = {.kind = SEARCH_PROMPTED_DOCUMENT, .documents = 1};
	struct search_record r;

	if (search_corpus_record(k->p->corpus, number, k->arena, &r, NULL) < 0)
		return false;
	search_analyze(k->p->analyzer, r.title, scratch);
	if (!is_titled(k, scratch))
		return false;
	p.text = arena_strndup(k->arena, r.title.data, r.title.len);
	p.key = search_corpus_key(k->p->corpus, number);
	p.key = arena_str(k->arena, p.key);
	add_item(k, &p, arena_printf(k->arena, "document %u", number));
	return true;
}

/* Those that have the words, and one that the last one begins. */
static uint64_t *begun_bits(struct prompting *k)
{
	uint64_t *all = arena_alloc(k->arena, (k->n_bits + 1) * sizeof(*all));
	uint32_t begun[BEGINNINGS];
	size_t n = search_terms_prefix(k->p->view->terms, k->last, begun, BEGINNINGS);

	for (size_t i = 0; i < n; i++) {
		struct terms t = {.n = 0};

		if (!add_terms(k, str_from(join(k, k->n_words, (struct str){0})), &t) ||
		    t.n == TERMS_MAX)
			return NULL;
		t.items[t.n++] = begun[i];
		mark(k, &t);
		for (size_t w = 0; w < k->n_bits; w++)
			all[w] |= k->bits[w];
	}
	return all;
}

static void add_documents(struct prompting *k)
{
	struct search_tokens scratch = {0};
	size_t kept = 0;
	uint64_t *all = k->last.len > 1 ? begun_bits(k) : NULL;

	if (!all || search_allowed_count(k->p->view, all) > DOCUMENTS_FEW)
		return;
	for (size_t i = 0; i < k->p->view->words && kept < DOCUMENTS_KEPT; i++) {
		for (uint64_t rest = all[i]; rest && kept < DOCUMENTS_KEPT; rest &= rest - 1)
			kept += offer_document(
			    k, (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest), &scratch);
	}
	search_tokens_done(&scratch);
}

/* --- the answer ------------------------------------------------------------------------------ */

/* Each kind has a place where there are some of it; words have what is left. */
static void share_out(const struct prompting *k, size_t limit, size_t ret[4])
{
	size_t n[4] = {0}, left = limit;

	for (size_t i = 0; i < k->n; i++)
		n[k->items[i].is.kind]++;
	for (size_t kind = 1; kind < 4; kind++) {
		size_t share = limit / 4 > 1 ? limit / 4 : 1;

		ret[kind] = n[kind] < share ? n[kind] : share;
		ret[kind] = ret[kind] < left ? ret[kind] : left;
		left -= ret[kind];
	}
	ret[0] = n[0] < left ? n[0] : left;
	left -= ret[0];
	for (size_t kind = 1; kind < 4 && left; kind++) {
		size_t more = n[kind] - ret[kind] < left ? n[kind] - ret[kind] : left;

		ret[kind] += more;
		left -= more;
	}
}

size_t search_prompt(const struct search_prompt *p, struct arena *arena,
		     struct search_prompted *ret)
{
	struct prompting *k = arena_alloc(arena, sizeof(*k));
	size_t places[4], n = 0;

	k->p = p;
	k->arena = arena;
	k->n_bits =
	    (p->view->words + SEARCH_WINDOW_WORDS - 1) / SEARCH_WINDOW_WORDS * SEARCH_WINDOW_WORDS;
	k->bits = arena_alloc(arena, (k->n_bits + 1) * sizeof(*k->bits));
	read_typed(k);
	if (k->last.len)
		complete_last(k);
	else if (k->n_words)
		continue_words(k);
	narrow(k);
	add_documents(k);
	if (k->n)
		qsort(k->items, k->n, sizeof(k->items[0]), most_documents_first);
	share_out(k, p->limit, places);
	for (size_t i = 0; i < k->n; i++) {
		const struct search_prompted *is = &k->items[i].is;

		if (!places[is->kind])
			continue;
		places[is->kind]--;
		ret[n++] = *is;
	}
	return n;
}

static void add_text(struct strbuf *json, const char *name, const char *text)
{
	strbuf_addf(json, "\"%s\":", name);
	strbuf_add_json(json, text, strlen(text));
}

static const char *kind_name(const struct search_prompted *p, const char *document)
{
	switch (p->kind) {
	case SEARCH_PROMPTED_VALUE:
		return p->attribute;
	case SEARCH_PROMPTED_SCOPE:
		return "scope";
	case SEARCH_PROMPTED_DOCUMENT:
		return document;
	case SEARCH_PROMPTED_WORD:
		break;
	}
	return "word";
}

static void add_prompted(struct strbuf *json, const struct search_prompted *p, const char *document)
{
	strbuf_addch(json, '{');
	if (p->kind == SEARCH_PROMPTED_SCOPE) {
		_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT(0);

		strbuf_addf(&shown, "%s in %s", p->text, p->value);
		add_text(json, "text", strbuf_str(&shown));
		strbuf_addch(json, ',');
		add_text(json, "query", p->text);
	} else {
		add_text(json, "text", p->text);
	}
	strbuf_addch(json, ',');
	add_text(json, "kind", kind_name(p, document));
	if (p->value) {
		const struct search_filter f = {.attribute = p->attribute,
						.kind = SEARCH_FILTER_VALUES,
						.n_values = 1,
						.values = (const char *[]){p->value}};
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(0);

		search_filter_write(&f, &text);
		strbuf_addch(json, ',');
		add_text(json, "filter", strbuf_str(&text));
	}
	if (p->kind == SEARCH_PROMPTED_DOCUMENT) {
		strbuf_addstr(json, ",\"id\":");
		search_answer_key(p->key, json);
	}
	strbuf_addf(json, ",\"documents\":%u}", p->documents);
}

int search_engine_suggest(struct search_engine *e, const struct search_suggest *q,
			  struct strbuf *json, struct err *err)
{
	struct search_desk d = {0};
	struct search_prompted list[SEARCH_SUGGESTIONS_MAX];
	struct search_corpus_view view;
	int64_t since = clock_monotonic_us();
	size_t n = 0;
	int r = search_desk_open(e, q->in, &d, err);

	if (r == 0 && d.lent.suggestions) {
		struct search_prompt p = {
		    .suggestions = d.lent.suggestions,
		    .view = &view,
		    .corpus = d.lent.corpus,
		    .analyzer = d.analyzer,
		    .typed = q->typed,
		    .limit = q->limit < SEARCH_SUGGESTIONS_MAX ? q->limit : SEARCH_SUGGESTIONS_MAX};

		search_corpus_lock(d.lent.corpus);
		search_corpus_view(d.lent.corpus, &view);
		n = search_prompt(&p, &d.arena, list);
		search_corpus_unlock(d.lent.corpus);
	}
	if (r == 0) {
		strbuf_addstr(json, "{\"query\":");
		strbuf_add_json(json, q->typed.data, q->typed.len);
		strbuf_addstr(json, ",\"suggestions\":[");
		for (size_t i = 0; i < n; i++) {
			strbuf_addstr(json, i ? "," : "");
			add_prompted(json, &list[i], q->document);
		}
		strbuf_addf(json, "],\"took_us\":%" PRId64 "}", clock_monotonic_us() - since);
	}
	search_desk_close(&d);
	return r;
}
