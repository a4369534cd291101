/*
 * What a query's phrases may mean: the rules' words, the grammar's, and the catalogue's own values,
 * in one hash map from the folded phrase. Values of attributes that say what a thing is (`kind` in
 * the rules) have a map of their own, from the phrase in singular.
 *
 * A value of the catalogue is no better than its words. It has to be on a few documents; one of two
 * letters counts only as it is written ("PA" is a state, "pa" is not); and of an attribute that
 * filters, it has to be what its rarest word mostly stands for: of 78 products with the word
 * "quiet", 15 are by be quiet!, and a quiet keyboard is not by them.
 *
 * Misspelled names are looked up by what is left of them without one letter (Garbe's symmetric
 * delete), and only at a distance of one: who types "brain" means no razor by Braun. Words of the
 * catalogue that are so near to a name are collected when the vocabulary is made, by trying all
 * words that are.
 */
#include "search/search_query_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define DOCUMENTS_MIN	 3 /* of a value that only the catalogue names */
#define NEAR_LETTERS_MIN 5 /* shorter words are too near to others */
#define NEAR_LETTERS_MAX 24
#define NEAR_MAX	 1000 /* names that may be misspelled: those with the most documents */

/* A name that may be misspelled. */
struct near_word {
	const struct near_word *next; /* with the same rest */
	struct str word;
	const struct entry *entry;
	bool is_kind;
};

struct catalogue_value {
	const char *text;
	uint32_t documents;
};

struct maker {
	struct search_vocabulary *v;
	const struct search_catalogue *c;
	struct query_text *text;
	struct map values; /* of the attribute in hand: folded -> struct catalogue_value */
	size_t attribute;
	struct near_word *near;
	size_t n_near, cap_near;
};

const struct entry *entry_of(const struct entry *e, unsigned kinds)
{
	while (e && !(e->kind & kinds))
		e = e->next;
	return e;
}

/* --- phrases --------------------------------------------------------------------------------- */

static struct str copy(struct search_vocabulary *v, struct str s)
{
	return arena_str(&v->arena, s);
}

/* Behind what the phrase means already. The same twice is one. */
static const struct entry *add(struct maker *m, struct map *map, struct str key, struct entry e)
{
	struct entry *have = map_get(map, key), *last = NULL, *copied;

	for (; have; have = have->next) {
		if (have->kind == e.kind && have->attribute == e.attribute &&
		    (have->value == e.value ||
		     (have->value && e.value && cstr_equal(have->value, e.value))))
			return have;
		last = have;
	}
	copied = arena_alloc(&m->v->arena, sizeof(*copied));
	*copied = e;
	copied->next = NULL;
	if (last)
		last->next = copied;
	else
		*map_put(map, copy(m->v, key)) = copied;
	return copied;
}

/* Whether the text is a phrase that can be looked up: its tokens are in m->text. */
static bool lex(struct maker *m, const char *text)
{
	query_lex(str_from(text), m->text);
	if (!m->text->n || m->text->n > QUERY_PHRASE_MAX)
		return false;
	if (m->text->n > m->v->phrase_max)
		m->v->phrase_max = m->text->n;
	return true;
}

/* What looks like nothing by itself is its own phrase: "+", and "\"" as a unit. */
static void add_phrase(struct maker *m, const char *text, struct entry e)
{
	bool is_phrase = lex(m, text);

	if (is_phrase || !m->text->n)
		(void)add(m, &m->v->phrases,
			  is_phrase ? query_folded(m->text, 0, m->text->n) : str_from(text), e);
}

static void add_phrases(struct maker *m, const char *const *texts, size_t n, struct entry e)
{
	e.attribute = (uint16_t)m->attribute;
	e.is_rule = true;
	for (size_t i = 0; i < n; i++)
		add_phrase(m, texts[i], e);
}

/* --- values ---------------------------------------------------------------------------------- */

static bool is_kind(const struct maker *m)
{
	return m->c->rules->attributes[m->attribute].is_kind;
}

static void offer_near(struct maker *m, struct str key, const struct entry *e)
{
	if (key.len < NEAR_LETTERS_MIN || key.len > NEAR_LETTERS_MAX ||
	    e->documents < DOCUMENTS_MIN ||
	    m->c->rules->attributes[m->attribute].ask != SEARCH_ASK_FILTER)
		return;
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] < 'a' || key.data[i] > 'z')
			return;
	}
	mem_grow(&m->near, &m->cap_near, m->n_near + 1, sizeof(*m->near));
	m->near[m->n_near++] = (struct near_word){NULL, copy(m->v, key), e, is_kind(m)};
}

/* The tokens in hand as a phrase that means the value. */
static void add_value(struct maker *m, struct entry e)
{
	struct str key = is_kind(m) ? query_singular(m->text, 0, m->text->n)
				    : query_folded(m->text, 0, m->text->n);
	struct map *map = is_kind(m) ? &m->v->kinds : &m->v->phrases;
	const struct entry *have = entry_of(map_get(map, key), ENTRY_VALUE);

	/* What the rules say a kind is called comes before what the catalogue does. */
	if (is_kind(m) && !e.is_rule && have && have->is_rule && have->attribute == e.attribute)
		return;
	have = add(m, map, key, e);
	if (m->text->n == 1)
		offer_near(m, key, have);
}

/* "TP-LINK" is "tplink" too, and "Vogel's" "vogels". */
static void add_joined(struct maker *m, const char *text, struct entry e)
{
	char joined[QUERY_WORD_MAX + 1];
	bool has_mark = strchr(text, '\'');
	size_t len = 0;

	for (size_t i = 1; i < m->text->n; i++)
		has_mark |= m->text->t[i].gap == QUERY_HYPHEN || m->text->t[i].gap == QUERY_SLASH;
	for (const char *c = text; *c && has_mark; c++) {
		if (strchr("-./'", *c))
			continue;
		if (len == QUERY_WORD_MAX)
			return;
		joined[len++] = *c;
	}
	joined[len] = '\0';
	if (len && lex(m, joined))
		add_value(m, e);
}

/* Of the documents with the rarest word. Several words are together rarer than each: by how much is
 * not known, so that the mean of as many shares is taken. */
static double share_of(const struct maker *m, uint32_t documents)
{
	uint32_t rarest = UINT32_MAX;
	double words = 0;

	if (!m->c->word)
		return 1;
	for (size_t i = 0; i < m->text->n; i++) {
		uint32_t n = m->c->word(m->c->arg, query_folded(m->text, i, 1));

		words += !m->text->t[i].class;
		if (n && n < rarest)
			rarest = n;
	}
	if (rarest == UINT32_MAX || rarest < documents)
		return 1;
	return pow((double)documents / (double)rarest, 1 / fmax(words, 1));
}

/* One that the catalogue names. */
static void add_catalogue_value(struct maker *m, const struct catalogue_value *value)
{
	const struct search_attribute *a = &m->c->rules->attributes[m->attribute];
	const struct query_token *t = m->text->t;
	struct entry e = {.kind = ENTRY_VALUE,
			  .attribute = (uint16_t)m->attribute,
			  .value = value->text,
			  .documents = value->documents,
			  .share = 1};

	if (value->documents < DOCUMENTS_MIN || !lex(m, value->text))
		return;
	if (m->text->n == 1 && (t->class || t->len < 2 || t->kind == QUERY_NUMBER))
		return;
	e.needs_case = m->text->n == 1 && t->len == 2 && t->kind == QUERY_WORD;
	if (a->ask == SEARCH_ASK_FILTER && !a->is_kind)
		e.share = share_of(m, value->documents);
	add_value(m, e);
	add_joined(m, value->text, e);
}

static void take_value(void *to, const struct search_value *value)
{
	struct maker *m = to;
	struct catalogue_value *copied;
	void **slot;

	if (!lex(m, value->text))
		return;
	slot = map_put(&m->values, copy(m->v, query_folded(m->text, 0, m->text->n)));
	copied = *slot;
	if (copied && copied->documents >= value->documents)
		return;
	if (!copied)
		*slot = copied = arena_alloc(&m->v->arena, sizeof(*copied));
	*copied =
	    (struct catalogue_value){arena_strdup(&m->v->arena, value->text), value->documents};
}

/* Words that the rules have for values; of a text, only those that the catalogue has. */
static void add_rule_values(struct maker *m)
{
	const struct search_attribute *a = &m->c->rules->attributes[m->attribute];

	for (size_t i = 0; i < a->n_values; i++) {
		struct entry e = {.kind = ENTRY_VALUE,
				  .attribute = (uint16_t)m->attribute,
				  .is_rule = true,
				  .value = a->values[i].value,
				  .documents = m->c->documents,
				  .share = 1};
		const struct catalogue_value *have = NULL;

		if (lex(m, a->values[i].value))
			have = map_get(&m->values, query_folded(m->text, 0, m->text->n));
		if (a->type == SEARCH_TEXT && !have)
			continue;
		if (have) {
			e.value = have->text;
			e.documents = have->documents;
		}
		if (lex(m, a->values[i].word))
			add_value(m, e);
	}
}

static void add_values(struct maker *m)
{
	const struct search_attribute *a = &m->c->rules->attributes[m->attribute];

	if (a->type == SEARCH_TEXT)
		m->c->values(m->c->arg, m->attribute, take_value, m);
	add_rule_values(m);
	for (size_t i = 0; i < m->values.cap; i++) {
		if (m->values.entries[i].key.data)
			add_catalogue_value(m, m->values.entries[i].value);
	}
	map_done(&m->values);
}

static void add_attribute(struct maker *m)
{
	const struct search_attribute *a = &m->c->rules->attributes[m->attribute];

	for (size_t i = 0; i < a->n_units; i++)
		add_phrases(m, &a->units[i].word, 1,
			    (struct entry){.kind = ENTRY_UNIT, .number = a->units[i].factor});
	for (size_t i = 0; i < a->n_meanings; i++)
		add_phrases(m, &a->meanings[i].word, 1,
			    (struct entry){.kind = ENTRY_MEANING,
					   .min = a->meanings[i].min,
					   .max = a->meanings[i].max});
	add_phrases(m, a->words, a->n_words, (struct entry){.kind = ENTRY_NAME});
	add_phrases(m, a->more, a->n_more, (struct entry){.kind = ENTRY_MORE});
	add_phrases(m, a->less, a->n_less, (struct entry){.kind = ENTRY_LESS});
	add_phrases(m, a->ascending, a->n_ascending, (struct entry){.kind = ENTRY_ORDER});
	add_phrases(m, a->descending, a->n_descending,
		    (struct entry){.kind = ENTRY_ORDER, .is_descending = true});
	add_values(m);
}

/* --- misspelled names ------------------------------------------------------------------------ */

/* `word` without the letter at `i`; with `i` its length, itself. */
static struct str without_letter(struct str word, size_t i, char *buffer)
{
	size_t rest = i < word.len ? word.len - i - 1 : 0;

	memcpy(buffer, word.data, i);
	memcpy(buffer + i, word.data + word.len - rest, rest);
	return (struct str){buffer, i + rest};
}

/* One letter more, less or other, or two neighbours swapped. Of a short word no other letter: too
 * many words differ in one. */
static bool is_one_edit(struct str a, struct str b)
{
	size_t i = 0, end = 0;

	if (a.len < b.len) {
		struct str swap = a;

		a = b;
		b = swap;
	}
	while (i < b.len && a.data[i] == b.data[i])
		i++;
	while (end < b.len - i && a.data[a.len - 1 - end] == b.data[b.len - 1 - end])
		end++;
	if (a.len == b.len + 1)
		return i + end == b.len;
	if (a.len != b.len || i == a.len)
		return false;
	if (i + end + 1 == a.len)
		return a.len > NEAR_LETTERS_MIN;
	return i + end + 2 == a.len && a.data[i] == b.data[i + 1] && a.data[i + 1] == b.data[i];
}

static void remember_word(struct maker *m, struct str word)
{
	if (!map_get(&m->v->words, word) && m->c->word(m->c->arg, word))
		*map_put(&m->v->words, copy(m->v, word)) = m->v;
}

/* Words of the catalogue at a distance of one from the name: nobody who types them means it. */
static void remember_neighbours(struct maker *m, struct str name)
{
	char word[NEAR_LETTERS_MAX + 2];

	for (size_t i = 0; i < name.len; i++)
		remember_word(m, without_letter(name, i, word));
	for (size_t i = 0; i + 1 < name.len; i++) {
		memcpy(word, name.data, name.len);
		word[i] = name.data[i + 1];
		word[i + 1] = name.data[i];
		remember_word(m, (struct str){word, name.len});
	}
	for (size_t i = 0; i <= name.len; i++) {
		for (int c = 'a'; c <= 'z'; c++) {
			memcpy(word, name.data, i);
			word[i] = (char)c;
			memcpy(word + i + 1, name.data + i, name.len - i);
			remember_word(m, (struct str){word, name.len + 1});
			if (i == name.len)
				continue;
			memcpy(word + i + 1, name.data + i + 1, name.len - i - 1);
			remember_word(m, (struct str){word, name.len});
		}
	}
}

static int compare_documents(const void *a, const void *b)
{
	const struct near_word *x = a, *y = b;

	if (x->entry->documents != y->entry->documents)
		return x->entry->documents > y->entry->documents ? -1 : 1;
	return str_compare(x->word, y->word);
}

static void add_near(struct maker *m)
{
	char rest[NEAR_LETTERS_MAX];

	if (!m->c->word || !m->n_near)
		return;
	qsort(m->near, m->n_near, sizeof(*m->near), compare_documents);
	for (size_t k = 0; k < m->n_near && k < NEAR_MAX; k++) {
		for (size_t i = 0; i <= m->near[k].word.len; i++) {
			struct near_word *w = arena_alloc(&m->v->arena, sizeof(*w));
			struct str key = without_letter(m->near[k].word, i, rest);
			const struct near_word *first = map_get(&m->v->near, key);

			*w = m->near[k];
			w->next = first;
			*map_put(&m->v->near, first ? key : copy(m->v, key)) = w;
		}
		remember_neighbours(m, m->near[k].word);
	}
}

static const struct entry *meant(const struct search_vocabulary *v, const struct near_word *w)
{
	return entry_of(map_get(w->is_kind ? &v->kinds : &v->phrases, w->word), ENTRY_VALUE);
}

const struct entry *vocabulary_near(const struct search_vocabulary *v, struct str folded,
				    struct str singular)
{
	const struct near_word *best = NULL;
	char rest[NEAR_LETTERS_MAX + 1];

	if (folded.len < NEAR_LETTERS_MIN || folded.len > NEAR_LETTERS_MAX ||
	    map_get(&v->words, folded) || map_get(&v->words, singular))
		return NULL;
	for (size_t i = 0; i <= 2 * folded.len + 1; i++) {
		struct str word = i <= folded.len ? folded : singular;
		size_t at = i <= folded.len ? i : i - folded.len - 1;
		const struct near_word *w;

		if (at > word.len)
			break;
		w = map_get(&v->near, without_letter(word, at, rest));
		for (; w; w = w->next) {
			if (is_one_edit(w->is_kind ? singular : folded, w->word) &&
			    (!best || w->entry->documents > best->entry->documents))
				best = w;
		}
	}
	return best ? meant(v, best) : NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

/* Numbers and dates without a name are of the first attribute that a query may ask for. */
static void set_defaults(struct search_vocabulary *v)
{
	v->money = v->date = -1;
	for (size_t i = v->rules->n_attributes; i-- > 0;) {
		const struct search_attribute *a = &v->rules->attributes[i];

		if (a->ask == SEARCH_ASK_NO)
			continue;
		if (a->type == SEARCH_NUMBER && a->has_usual)
			v->money = (int)i;
		if (a->type == SEARCH_DATE)
			v->date = (int)i;
	}
}

struct search_vocabulary *search_vocabulary_new(const struct search_catalogue *c)
{
	struct search_vocabulary *v = MEM_NEW(struct search_vocabulary);
	struct maker m = {.v = v, .c = c, .text = MEM_NEW(struct query_text)};

	v->rules = c->rules;
	for (size_t i = 0; i < query_grammar_len; i++)
		add_phrase(&m, query_grammar[i].phrase, query_grammar[i].entry);
	for (m.attribute = 0; m.attribute < c->rules->n_attributes; m.attribute++) {
		if (c->rules->attributes[m.attribute].ask != SEARCH_ASK_NO)
			add_attribute(&m);
	}
	m.attribute = 0;
	add_phrases(&m, c->rules->qualities, c->rules->n_qualities,
		    (struct entry){.kind = ENTRY_QUALITY});
	add_phrases(&m, c->rules->noise, c->rules->n_noise, (struct entry){.kind = ENTRY_NOISE});
	add_near(&m);
	set_defaults(v);
	mem_free(m.near);
	mem_free(m.text);
	return v;
}

struct search_vocabulary *search_vocabulary_free(struct search_vocabulary *v)
{
	if (!v)
		return NULL;
	map_done(&v->phrases);
	map_done(&v->kinds);
	map_done(&v->near);
	map_done(&v->words);
	arena_done(&v->arena);
	mem_free(v);
	return NULL;
}
