/*
 * Whether a text contains a phrase: see search_find.h.
 *
 * Both are read as what they may be: a compound is one word over its pieces, or its pieces, one
 * behind the other, so that "RTX 4060" is in "RTX4060" and the reverse. For each place of the text
 * the places of the phrase are kept, as bits, up to which the words before are the phrase's; a word
 * leads from its place by its width, in the text and in the phrase. So nothing is tried twice,
 * however often words repeat.
 *
 * The x of 1920x1080 has a place and no token (search_analyzer.h): it is the word x there.
 */
#include "search/search_find.h"

#include "base/banned.h"

struct matching {
	const struct search_tokens *text, *phrase;
	uint64_t *rows; /* of the places that are to come, as many as a word may be wide */
	size_t n_rows, words;
};

static uint64_t *row_of(struct matching *m, uint32_t place)
{
	return m->rows + place % m->n_rows * m->words;
}

static void reach(struct matching *m, uint32_t place, uint32_t of_phrase)
{
	row_of(m, place)[of_phrase / 64] |= UINT64_C(1) << (of_phrase % 64);
}

/* The first token at or behind the place. */
static size_t first_at(const struct search_tokens *t, uint32_t place)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->items[middle].position < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the x between two numbers may be here. */
static bool may_be_times(const struct search_tokens *t, size_t first, uint32_t place)
{
	if (first == t->n || t->items[first].position != place)
		return true;
	return str_equal(t->items[first].term, (struct str){"x", 1});
}

/* From one place of the text and one of the phrase, by the words that both have there. */
static void step(struct matching *m, uint32_t place, size_t at, uint32_t of_phrase)
{
	const struct search_tokens *text = m->text, *phrase = m->phrase;
	size_t first = first_at(phrase, of_phrase);
	bool is_gap = at == text->n || text->items[at].position != place || first == phrase->n ||
		      phrase->items[first].position != of_phrase;

	if (is_gap && may_be_times(text, at, place) && may_be_times(phrase, first, of_phrase))
		reach(m, place + 1, of_phrase + 1);
	for (size_t i = at; i < text->n && text->items[i].position == place; i++) {
		for (size_t k = first; k < phrase->n && phrase->items[k].position == of_phrase;
		     k++) {
			if (str_equal(text->items[i].term, phrase->items[k].term))
				reach(m, place + text->items[i].width,
				      of_phrase + phrase->items[k].width);
		}
	}
}

static bool has_matched(struct matching *m, uint32_t place)
{
	uint32_t end = m->phrase->positions;

	return row_of(m, place)[end / 64] >> (end % 64) & 1;
}

static bool match(struct matching *m)
{
	size_t at = 0;

	for (uint32_t place = 0; place < m->text->positions; place++) {
		uint64_t *row = row_of(m, place);

		if (has_matched(m, place))
			return true;
		row[0] |= 1; /* it may begin anywhere */
		while (at < m->text->n && m->text->items[at].position < place)
			at++;
		for (size_t i = 0; i < m->words; i++) {
			for (uint64_t rest = row[i]; rest; rest &= rest - 1)
				step(m, place, at,
				     (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest));
			row[i] = 0;
		}
	}
	return has_matched(m, m->text->positions);
}

bool search_has_phrase(const struct search_tokens *text, const struct search_tokens *phrase)
{
	struct matching m = {.text = text, .phrase = phrase, .n_rows = 2};
	bool has;

	if (!phrase->n)
		return false;
	for (size_t i = 0; i < text->n; i++) {
		if (text->items[i].width >= m.n_rows)
			m.n_rows = text->items[i].width + 1UL;
	}
	m.words = phrase->positions / 64UL + 1;
	m.rows = mem_alloc_array(m.n_rows * m.words, sizeof(*m.rows));
	has = match(&m);
	mem_free(m.rows);
	return has;
}
