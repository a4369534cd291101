/*
 * Suggestions: see search_suggest.h.
 *
 * Words and pairs of words of titles are counted in a map while documents are gone through; when it
 * gets large, what was seen once goes (lossy counting: a pair that is frequent comes again). At the
 * end all keys stand in one array in byte order, so that a prefix is a range, which is gone through
 * for those of most documents: a letter of a million products is some ten thousand entries, which
 * take some microseconds.
 *
 * A value stands there once for each of its words, so that "cards" finds "Graphics Cards", and once
 * for each other name that the rules have for it.
 */
#include "search/search_suggest.h"

#include "base/map.h"

#include <stdlib.h>

#include "base/banned.h"

#define COUNTED_MAX ((size_t)1 << 19) /* words and pairs, before those that were seen once go */
#define WORD_MIN    2		      /* titles that have it: most that have not are codes */
#define WORD_BYTES  2
#define PAIR_MIN    3
#define SHARE_MIN   0.04 /* of the rarer word's titles that have the pair: else it is chance */
#define NEAR_MAX    64
#define BEGUN_MAX   24 /* bytes of a word that is compared with begins of others */

struct search_suggestions {
	const struct search_collection *rules;
	struct arena arena;
	struct search_completion *entries; /* by key; then the most documents first */
	size_t n, cap;
	struct search_terms *words; /* for corrections; a number is a place in `counts` */
	uint32_t *counts;
	size_t counts_cap;
	struct map totals; /* of the scope's values: their documents and one */
	int scope;
};

struct search_suggest_maker {
	const struct search_collection *rules;
	struct search_analyzer *analyzer;
	struct search_tokens tokens;
	struct arena arena; /* keys of the map */
	struct map counts;
	uint32_t next;
	uintptr_t
	    least; /* times; what was counted less often is forgotten when there is too much */
	bool is_done;
};

/* --- what may be suggested ------------------------------------------------------------------- */

bool search_suggest_may(const struct search_collection *rules)
{
	return rules->n_fields && !search_rules_is_personal(rules);
}

static bool is_suggested(const struct search_attribute *a)
{
	return a->type == SEARCH_TEXT && !a->is_pairs && a->ask == SEARCH_ASK_FILTER &&
	       a->has_facet;
}

/* --- counting -------------------------------------------------------------------------------- */

int search_suggest_maker_new(const struct search_collection *rules, const char *language,
			     struct search_suggest_maker **ret, struct err *err)
{
	struct search_suggest_maker *m = MEM_NEW(struct search_suggest_maker);
	int r = search_analyzer_new(language, &m->analyzer, err);

	m->rules = rules;
	if (r < 0)
		search_suggest_maker_free(m);
	else
		*ret = m;
	return r;
}

struct search_suggest_maker *search_suggest_maker_free(struct search_suggest_maker *m)
{
	if (!m)
		return NULL;
	search_analyzer_free(m->analyzer);
	search_tokens_done(&m->tokens);
	map_done(&m->counts);
	arena_done(&m->arena);
	mem_free(m);
	return NULL;
}

static void *as_value(uintptr_t count)
{
	return (void *)count;
}

static uintptr_t as_count(const void *value)
{
	return (uintptr_t)value;
}

static void forget_rare(struct search_suggest_maker *m)
{
	struct map kept = {0};
	struct arena arena = {0};

	for (size_t i = 0; i < m->counts.cap; i++) {
		const struct map_entry *e = &m->counts.entries[i];

		if (!e->key.data || as_count(e->value) < m->least)
			continue;
		*map_put(&kept, arena_str(&arena, e->key)) = e->value;
	}
	map_done(&m->counts);
	arena_done(&m->arena);
	m->counts = kept;
	m->arena = arena;
}

static void count_key(struct search_suggest_maker *m, struct str key)
{
	uintptr_t count = as_count(map_get(&m->counts, key));

	if (!count)
		key.data = arena_strndup(&m->arena, key.data, key.len);
	*map_put(&m->counts, key) = as_value(count + 1);
	if (m->counts.len <= COUNTED_MAX)
		return;
	do { /* half of them at least, so that this is rare */
		m->least++;
		forget_rare(m);
	} while (m->counts.len > COUNTED_MAX / 2);
}

static bool is_word(const struct search_token *t)
{
	return !t->is_piece && !t->is_stop && t->folded.len;
}

/* Two words with nothing but a space between them. */
static void count_pair(struct search_suggest_maker *m, const struct search_token *a,
		       const struct search_token *b)
{
	char text[2 * SEARCH_TERM_MAX + 1];
	size_t n = a->folded.len;

	if (b->start != a->end + 1 || n + b->folded.len >= sizeof(text) ||
	    (a->kind == SEARCH_TOKEN_NUMBER && b->kind == SEARCH_TOKEN_NUMBER))
		return;
	memcpy(text, a->folded.data, n);
	text[n++] = ' ';
	memcpy(text + n, b->folded.data, b->folded.len);
	count_key(m, (struct str){text, n + b->folded.len});
}

static void count_title(struct search_suggest_maker *m, struct str title)
{
	const struct search_token *before = NULL;

	search_analyze(m->analyzer, title, &m->tokens);
	for (size_t i = 0; i < m->tokens.n; i++) {
		const struct search_token *t = &m->tokens.items[i];

		if (!is_word(t))
			continue;
		count_key(m, t->folded);
		if (before)
			count_pair(m, before, t);
		before = t;
	}
}

/* Locked for one document at a time: another thread may give numbers meanwhile. */
static bool take_title(struct search_suggest_maker *m, struct search_corpus *corpus,
		       struct arena *arena, struct str *ret)
{
	struct search_corpus_view view;
	struct search_record r;
	bool is_there = false;

	search_corpus_lock(corpus);
	search_corpus_view(corpus, &view);
	while (m->next / 64 < view.words && !(view.live[m->next / 64] >> (m->next % 64) & 1))
		m->next++;
	m->is_done = m->next / 64 >= view.words;
	if (!m->is_done)
		is_there = search_corpus_record(corpus, m->next++, arena, &r, NULL) == 0;
	search_corpus_unlock(corpus);
	if (is_there)
		*ret = r.title;
	return is_there;
}

bool search_suggest_maker_step(struct search_suggest_maker *m, struct search_corpus *corpus,
			       size_t documents)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct str title;

	for (; documents && !m->is_done; documents--) {
		arena_clear(&arena);
		if (take_title(m, corpus, &arena, &title))
			count_title(m, title);
	}
	return !m->is_done;
}

/* --- the end --------------------------------------------------------------------------------- */

static struct str keep(struct search_suggestions *s, struct str text)
{
	return arena_str(&s->arena, text);
}

static void add_entry(struct search_suggestions *s, const struct search_completion *c)
{
	mem_grow(&s->entries, &s->cap, s->n + 1, sizeof(*s->entries));
	s->entries[s->n++] = *c;
}

static bool has_digits_only(struct str key)
{
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] != '.' && (key.data[i] < '0' || key.data[i] > '9'))
			return false;
	}
	return true;
}

/* A pair that its words do not ask for is no phrase: "black hp". */
static bool is_phrase(const struct search_suggest_maker *m, struct str key, uintptr_t count)
{
	const char *space = memchr(key.data, ' ', key.len);
	size_t at = (size_t)(space - key.data);
	uintptr_t left = as_count(map_get(&m->counts, (struct str){key.data, at}));
	uintptr_t right = as_count(map_get(&m->counts, (struct str){space + 1, key.len - at - 1}));
	uintptr_t rarer = left < right ? left : right;

	return count >= PAIR_MIN && (double)count >= SHARE_MIN * (double)rarer;
}

static void learn_word(struct search_suggestions *s, struct str word, uint32_t documents)
{
	uint32_t number = search_terms_add(s->words, word);

	mem_grow(&s->counts, &s->counts_cap, number + 1UL, sizeof(*s->counts));
	s->counts[number] = documents;
}

static void add_counted(struct search_suggestions *s, const struct search_suggest_maker *m)
{
	for (size_t i = 0; i < m->counts.cap; i++) {
		const struct map_entry *e = &m->counts.entries[i];
		struct search_completion c = {.attribute = -1,
					      .documents = (uint32_t)as_count(e->value)};
		bool is_pair;

		if (!e->key.data)
			continue;
		is_pair = memchr(e->key.data, ' ', e->key.len);
		if (is_pair ? !is_phrase(m, e->key, c.documents)
			    : c.documents < WORD_MIN || e->key.len < WORD_BYTES ||
				  has_digits_only(e->key))
			continue;
		c.key = keep(s, e->key);
		c.text = c.key;
		add_entry(s, &c);
		if (is_pair)
			continue;
		learn_word(s, c.key, c.documents);
	}
}

struct adding { /* values of an attribute */
	struct search_suggestions *s;
	struct search_suggest_maker *m;
	int attribute;
};

/* The words of a text from one on, normalised. */
static struct str key_from(struct search_suggestions *s, const struct search_tokens *tokens,
			   size_t from)
{
	struct strbuf b = STRBUF_INIT(1024);
	struct str key;

	for (size_t i = from; i < tokens->n; i++) {
		if (!tokens->items[i].is_piece)
			strbuf_addf(&b, "%s%.*s", b.len ? " " : "",
				    STR_ARGS(tokens->items[i].folded));
	}
	key = keep(s, strbuf_slice(&b));
	strbuf_done(&b);
	return key;
}

static void add_named(struct adding *a, struct str name, struct search_completion *c, bool is_whole)
{
	search_analyze(a->m->analyzer, name, &a->m->tokens);
	for (size_t i = 0; i < a->m->tokens.n && (i == 0 || !is_whole); i++) {
		if (!is_word(&a->m->tokens.items[i]))
			continue;
		c->key = key_from(a->s, &a->m->tokens, i);
		add_entry(a->s, c);
	}
}

static void add_value(void *arg, const char *value, uint32_t documents)
{
	struct adding *a = arg;
	struct search_suggestions *s = a->s;
	const struct search_attribute *rules = &s->rules->attributes[a->attribute];
	struct search_completion c = {
	    .text = keep(s, str_from(value)), .attribute = a->attribute, .documents = documents};

	if (!documents || !c.text.len)
		return;
	add_named(a, c.text, &c, false);
	for (size_t i = 0; i < rules->n_values; i++) {
		if (cstr_equal(rules->values[i].value, value))
			add_named(a, str_from(rules->values[i].word), &c, true);
	}
	if (a->attribute == s->scope)
		*map_put(&s->totals, c.text) = as_value(documents);
}

/* Words by which the rules know values, such as "mechanical": titles may not have them. */
static void add_rule_words(struct search_suggestions *s, struct search_suggest_maker *m,
			   const struct search_corpus_view *view,
			   const struct search_attribute *rules)
{
	for (size_t i = 0; i < rules->n_values; i++) {
		struct search_completion c = {.attribute = -1};
		uint32_t term;

		search_analyze(m->analyzer, str_from(rules->values[i].word), &m->tokens);
		if (m->tokens.n != 1 || !is_word(&m->tokens.items[0]) ||
		    search_terms_find(s->words, m->tokens.items[0].folded) != SEARCH_TERM_NONE)
			continue;
		term = search_terms_find(view->terms, m->tokens.items[0].term);
		if (term == SEARCH_TERM_NONE)
			continue;
		c.documents = search_lexical_documents(view->lexical, term);
		c.key = keep(s, m->tokens.items[0].folded);
		c.text = c.key;
		add_entry(s, &c);
		learn_word(s, c.key, c.documents);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct search_completion *x = a;
	const struct search_completion *y = b;
	int order = str_compare(x->key, y->key);

	if (order != 0)
		return order;
	return x->documents != y->documents ? (x->documents < y->documents ? 1 : -1)
					    : x->attribute - y->attribute;
}

struct search_suggestions *search_suggest_maker_end(struct search_suggest_maker *m,
						    const struct search_corpus *corpus)
{
	struct search_suggestions *s = MEM_NEW(struct search_suggestions);
	struct search_corpus_view view;

	search_corpus_view(corpus, &view);
	s->rules = m->rules;
	s->scope = -1;
	s->words = search_terms_new();
	add_counted(s, m);
	for (size_t i = 0; i < m->rules->n_attributes; i++) {
		const struct search_attribute *rules = &m->rules->attributes[i];
		struct adding a = {.s = s, .m = m, .attribute = (int)i};

		if (!is_suggested(rules))
			continue;
		if (rules->is_kind && s->scope < 0)
			s->scope = (int)i;
		search_columns_values(view.columns, i, add_value, &a);
	}
	for (size_t i = 0; i < m->rules->n_attributes; i++)
		add_rule_words(s, m, &view, &m->rules->attributes[i]);
	if (s->n)
		qsort(s->entries, s->n, sizeof(*s->entries), by_key);
	search_suggest_maker_free(m);
	return s;
}

struct search_suggestions *search_suggestions_free(struct search_suggestions *s)
{
	if (!s)
		return NULL;
	search_terms_free(s->words);
	map_done(&s->totals);
	mem_free(s->counts);
	mem_free(s->entries);
	arena_done(&s->arena);
	mem_free(s);
	return NULL;
}

/* --- looking --------------------------------------------------------------------------------- */

static size_t lower_bound(const struct search_suggestions *s, struct str prefix)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (str_compare(s->entries[mid].key, prefix) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool begins_so(struct str key, struct str prefix)
{
	return key.len >= prefix.len &&
	       (!prefix.len || memcmp(key.data, prefix.data, prefix.len) == 0);
}

size_t search_suggestions_find(const struct search_suggestions *s, struct str prefix,
			       struct search_completion *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = lower_bound(s, prefix); i < s->n && max; i++) {
		const struct search_completion *c = &s->entries[i];
		size_t at;

		if (!begins_so(c->key, prefix))
			break;
		if (n == max && c->documents <= ret[n - 1].documents)
			continue;
		at = n == max ? n - 1 : n++;
		for (; at && ret[at - 1].documents < c->documents; at--)
			ret[at] = ret[at - 1];
		ret[at] = *c;
	}
	return n;
}

uint32_t search_suggestions_total(const struct search_suggestions *s, const char *value)
{
	return (uint32_t)as_count(map_get(&s->totals, str_from(value)));
}

int search_suggestions_scope(const struct search_suggestions *s)
{
	return s->scope;
}

/* --- corrections ----------------------------------------------------------------------------- */

struct near { /* the best so far, in order */
	const struct search_suggestions *s;
	struct {
		struct str word;
		unsigned distance;
		uint32_t documents;
	} items[NEAR_MAX];
	size_t n, max;
};

static void offer(struct near *k, struct str word, unsigned distance, uint32_t documents)
{
	size_t at = k->n;

	for (size_t i = 0; i < k->n; i++) {
		if (str_equal(k->items[i].word, word))
			return;
	}
	while (at &&
	       (k->items[at - 1].distance > distance ||
		(k->items[at - 1].distance == distance && k->items[at - 1].documents < documents)))
		at--;
	if (at == k->max)
		return;
	k->n += k->n < k->max;
	memmove(&k->items[at + 1], &k->items[at], (k->n - at - 1) * sizeof(k->items[0]));
	k->items[at].word = word;
	k->items[at].distance = distance;
	k->items[at].documents = documents;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Edits between `word` and the begin of `other` that is nearest to it, by rows of the usual table;
 * swapped neighbours count as one. Above `max` it stops.
 */
static unsigned begin_distance(struct str word, struct str other, unsigned max)
{
	unsigned rows[3][BEGUN_MAX + 3], best = 0;
	size_t n = word.len, m = least((unsigned)other.len, (unsigned)n + max);

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = rows[i % 3], *before = rows[(i - 1) % 3];
		const unsigned *earlier = rows[(i + 1) % 3];

		now[0] = best = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			bool is_equal = word.data[i - 1] == other.data[j - 1];

			now[j] = least(before[j - 1] + !is_equal, least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && word.data[i - 1] == other.data[j - 2] &&
			    word.data[i - 2] == other.data[j - 1])
				now[j] = least(now[j], earlier[j - 2] + 1);
			best = least(best, now[j]);
		}
		if (best > max)
			return best;
	}
	return best;
}

/* Of words with the same first letter: who mistypes that one sees it. */
static void find_begun(struct near *k, struct str word, unsigned tolerance)
{
	const struct search_suggestions *s = k->s;
	struct str first = {word.data, 1};

	for (size_t i = lower_bound(s, first); i < s->n; i++) {
		const struct search_completion *c = &s->entries[i];
		unsigned distance;

		if (!begins_so(c->key, first))
			break;
		if (c->attribute >= 0 || c->key.len + tolerance < word.len ||
		    memchr(c->key.data, ' ', c->key.len))
			continue;
		distance = begin_distance(word, c->key, tolerance);
		if (distance <= tolerance)
			offer(k, c->key, distance, c->documents);
	}
}

static size_t characters(struct str s, bool *ret_digit)
{
	size_t n = 0;

	*ret_digit = false;
	for (size_t i = 0; i < s.len; i++) {
		n += ((unsigned char)s.data[i] & 0xC0) != 0x80;
		*ret_digit |= s.data[i] >= '0' && s.data[i] <= '9';
	}
	return n;
}

size_t search_suggestions_correct(const struct search_suggestions *s, struct str word,
				  bool is_begun, struct str *ret, size_t max)
{
	struct near k = {.s = s, .max = max < NEAR_MAX ? max : NEAR_MAX - 1};
	struct search_near near[NEAR_MAX];
	bool has_digit;
	unsigned tolerance = search_terms_tolerance(characters(word, &has_digit));
	size_t n;

	if (has_digit || !tolerance)
		return 0;
	n = search_terms_near(s->words, word, tolerance, near, NEAR_MAX);
	for (size_t i = 0; i < n; i++)
		offer(&k, search_terms_text(s->words, near[i].term), near[i].distance,
		      s->counts[near[i].term]);
	if (is_begun && word.len <= BEGUN_MAX)
		find_begun(&k, word, tolerance);
	for (size_t i = 0; i < k.n; i++)
		ret[i] = k.items[i].word;
	return k.n;
}
