/*
 * Understanding a query: see search_query.h. One pass from left to right, longest phrase first,
 * makes drafts of constraints: orders, numbers (search_query_number.c), negations, values. What is
 * a filter, what a boost, and what was only a word after all is judged when all drafts are there
 * (search_query_judge.c).
 *
 * Rejected: a chart parser over all readings. Queries are short and mostly nouns; what decides is
 * not syntax but what the words are in this shop, and that is in the vocabulary.
 */
#include "search/search_query_int.h"

#include <math.h>

#include "base/banned.h"

/* A value of the catalogue whose words mostly stand for something else is none. */
#define SHARE_MIN	   0.25
#define EXCLUDED_WORDS_MAX 3

/* --- looking up ------------------------------------------------------------------------------ */

const struct search_attribute *query_attribute(const struct query *q, size_t attribute)
{
	return &q->v->rules->attributes[attribute];
}

bool query_is_free(const struct query *q, size_t at)
{
	return at < q->text.n && q->use[at] == USE_NONE;
}

bool query_is_word(const struct query *q, size_t at, const char *word)
{
	return query_is_free(q, at) && str_equal(query_folded(&q->text, at, 1), str_from(word));
}

const struct entry *query_next_value(const struct entry *e)
{
	const struct entry *next = entry_of(e->next, (unsigned)e->kind);

	while (next && next->attribute != e->attribute)
		next = entry_of(next->next, (unsigned)e->kind);
	return next;
}

static bool is_free_phrase(const struct query *q, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++) {
		if (!query_is_free(q, i))
			return false;
	}
	return true;
}

size_t query_longest(const struct query *q, size_t at, unsigned kinds, const struct entry **ret)
{
	for (size_t n = QUERY_PHRASE_MAX; at < q->text.n && n > 0; n--) {
		const struct entry *e = entry_of(q->phrases[at][n - 1], kinds);

		if (e && is_free_phrase(q, at, n)) {
			*ret = e;
			return n;
		}
	}
	return 0;
}

/* "be quiet!" with its mark is the brand, however often people say quiet. */
static bool is_as_written(const struct query *q, size_t at, const char *value)
{
	size_t start = q->text.t[at].start, n = strlen(value);

	if (start + n > q->text.s.len || !strpbrk(value, "!.-+&/"))
		return false;
	for (size_t i = 0; i < n; i++) {
		char a = q->text.s.data[start + i], b = value[i];

		if ((a >= 'A' && a <= 'Z' ? a + 32 : a) != (b >= 'A' && b <= 'Z' ? b + 32 : b))
			return false;
	}
	return true;
}

static bool is_usable(const struct query *q, size_t at, size_t n, const struct entry *e)
{
	if (e->kind == ENTRY_MEANING || e->is_rule)
		return true;
	if (e->needs_case && !q->text.t[at].is_upper)
		return false;
	if (n == 1 && entry_of(q->phrases[at][0], ENTRY_QUALITY | ENTRY_NOISE))
		return false;
	return e->share >= SHARE_MIN || is_as_written(q, at, e->value);
}

/* What the rules say first, then in their order. */
static const struct entry *usable(const struct query *q, size_t at, size_t n, const struct entry *e)
{
	const struct entry *first = NULL;

	for (e = entry_of(e, ENTRY_VALUE | ENTRY_MEANING); e;
	     e = entry_of(e->next, ENTRY_VALUE | ENTRY_MEANING)) {
		if (!is_usable(q, at, n, e))
			continue;
		if (e->is_rule)
			return e;
		first = first ? first : e;
	}
	return first;
}

/* Whether what follows is what something has, and not what it is. */
static bool is_part(const struct query *q, size_t at)
{
	static const char *const words[] = {"with", "without", "has", "have", "having", "no"};

	for (size_t i = 0; at && i < ARRAY_LEN(words); i++) {
		if (str_equal(query_folded(&q->text, at - 1, 1), str_from(words[i])))
			return true;
	}
	return q->n_kinds > 1;
}

size_t query_longest_value(const struct query *q, size_t at, const struct entry **ret)
{
	for (size_t n = QUERY_PHRASE_MAX; at < q->text.n && n > 0; n--) {
		const struct entry *kind, *value;

		if ((!q->phrases[at][n - 1] && !q->kinds[at][n - 1]) || !is_free_phrase(q, at, n))
			continue;
		kind = usable(q, at, n, q->kinds[at][n - 1]);
		value = usable(q, at, n, q->phrases[at][n - 1]);
		*ret = kind && !(value && is_part(q, at)) ? kind : value;
		if (*ret)
			return n;
	}
	return 0;
}

bool query_is_within(const struct search_attribute *a, const struct search_attribute *of,
		     const struct entry *e)
{
	if (!a->within || !cstr_equal(a->within, of->name))
		return false;
	for (; e; e = query_next_value(e)) {
		for (size_t i = 0; i < a->n_within; i++) {
			if (cstr_equal(a->within_values[i], e->value))
				return true;
		}
	}
	return false;
}

bool query_measures(const struct query *q, const struct entry *unit)
{
	for (; unit; unit = entry_of(unit->next, ENTRY_UNIT)) {
		for (size_t i = 0; i < q->n_kinds; i++) {
			const struct entry *e = q->named_kinds[i];

			if (query_is_within(query_attribute(q, unit->attribute),
					    query_attribute(q, e->attribute), e))
				return true;
		}
	}
	return false;
}

/* A phrase is not split by a break, by quotes, or by the minus of "-word". */
static void look_up(struct query *q)
{
	const struct query_token *t = q->text.t;

	for (size_t i = 0; i < q->text.n; i++) {
		for (size_t n = 1; n <= q->v->phrase_max && i + n <= q->text.n; n++) {
			const struct query_token *last = &t[i + n - 1];

			if (last->quote || (n > 1 && (last->gap == QUERY_BREAK || last->is_minus)))
				break;
			q->phrases[i][n - 1] =
			    map_get(&q->v->phrases, query_folded(&q->text, i, n));
			q->kinds[i][n - 1] = map_get(&q->v->kinds, query_singular(&q->text, i, n));
		}
	}
}

static void find_kinds(struct query *q)
{
	size_t n;

	for (size_t i = 0; i < q->text.n && q->n_kinds < QUERY_KINDS_MAX; i += n) {
		const struct entry *e = NULL;

		for (n = QUERY_PHRASE_MAX; n > 0 && !e; n--)
			e = usable(q, i, n, q->kinds[i][n - 1]);
		if (e)
			q->named_kinds[q->n_kinds++] = e;
		n = e ? n + 1 : 1;
	}
}

/* --- drafts ---------------------------------------------------------------------------------- */

struct draft *query_add(struct query *q, enum draft_kind kind, size_t first, size_t end)
{
	struct draft *d;

	if (q->n_drafts == QUERY_DRAFTS_MAX)
		return NULL;
	d = &q->drafts[q->n_drafts];
	*d = (struct draft){.kind = kind,
			    .first = (uint16_t)first,
			    .end = (uint16_t)end,
			    .kept_first = (uint16_t)first,
			    .kept_end = (uint16_t)end,
			    .attribute = -1,
			    .min = -HUGE_VAL,
			    .max = HUGE_VAL};
	for (size_t i = first; i < end; i++) {
		q->use[i] = USE_DRAFT;
		q->draft[i] = (uint8_t)q->n_drafts;
	}
	q->n_drafts++;
	return d;
}

static void add_values(struct draft *d, const struct entry *e)
{
	for (; e && d->n_values < QUERY_VALUES_MAX; e = query_next_value(e)) {
		size_t i = 0;

		while (i < d->n_values && !cstr_equal(d->values[i]->value, e->value))
			i++;
		if (i == d->n_values)
			d->values[d->n_values++] = e;
	}
}

/* The value that "or", "and", a comma or a slash joins to the one before; 0: there is none. */
static size_t next_in_list(const struct query *q, size_t at, int attribute,
			   const struct entry **ret, size_t *ret_skip)
{
	size_t skip = 0, n;

	if (at >= q->text.n)
		return 0;
	while (at + skip < q->text.n && query_is_free(q, at + skip) &&
	       (q->text.t[at + skip].class & (QUERY_CONJ | QUERY_DET)))
		skip++;
	if (!skip && q->text.t[at].gap != QUERY_BREAK && q->text.t[at].gap != QUERY_SLASH)
		return 0;
	n = query_longest_value(q, at + skip, ret);
	*ret_skip = skip;
	return n && (*ret)->kind == ENTRY_VALUE && (*ret)->attribute == attribute ? n : 0;
}

/* A value at `at` of `n` tokens, and those that are joined to it. */
static struct draft *draft_values(struct query *q, size_t first, size_t at, size_t n,
				  const struct entry *e)
{
	size_t end = at + n, skip = 0, more;
	const struct entry *next = NULL;
	struct draft *d = query_add(q, DRAFT_VALUES, first, end);

	if (!d)
		return NULL;
	d->attribute = e->attribute;
	d->kept_first = (uint16_t)at;
	if (e->kind == ENTRY_MEANING) {
		d->kind = DRAFT_MEANING;
		d->min = e->min;
		d->max = e->max;
		return d;
	}
	add_values(d, e);
	if (query_attribute(q, e->attribute)->type != SEARCH_TEXT)
		return d;
	while ((more = next_in_list(q, end, e->attribute, &next, &skip))) {
		add_values(d, next);
		for (size_t i = end; i < end + skip + more; i++) {
			q->use[i] = USE_DRAFT;
			q->draft[i] = (uint8_t)(d - q->drafts);
		}
		end += skip + more;
		d->is_joined = true;
	}
	d->end = d->kept_end = (uint16_t)end;
	return d;
}

/* The attribute's name before a value, "color: blue", or 0. */
static size_t name_before(const struct query *q, size_t at, const struct entry **ret)
{
	const struct entry *name = NULL;
	size_t n = query_longest(q, at, ENTRY_NAME, &name), end = at + n, values;

	if (!n)
		return 0;
	if (query_is_word(q, end, "is") || query_is_word(q, end, "="))
		end++;
	values = query_longest_value(q, end, ret);
	for (; name && values; name = entry_of(name->next, ENTRY_NAME)) {
		if (name->attribute == (*ret)->attribute)
			return end - at;
	}
	return 0;
}

/* "from Sony", "in Berlin": it is meant, whatever else is said. */
static bool is_told(const struct query *q, size_t at)
{
	return at && (query_is_word(q, at - 1, "from") || query_is_word(q, at - 1, "by") ||
		      query_is_word(q, at - 1, "in") || query_is_word(q, at - 1, "of"));
}

/* "hp compatible" is what others make, "my brother's" is of no brand. */
static bool is_about_others(const struct query *q, size_t at, size_t n)
{
	static const char *const before[] = {"my",  "your",  "his",	   "her",
					     "our", "their", "compatible", "replacement"};

	for (size_t i = 0; at && i < ARRAY_LEN(before); i++) {
		if (query_is_word(q, at - 1, before[i]))
			return true;
	}
	return query_is_word(q, at + n, "compatible") || query_is_word(q, at + n, "my");
}

static size_t take_value(struct query *q, size_t at)
{
	const struct entry *e = NULL, *name;
	size_t before = name_before(q, at, &e), n = query_longest_value(q, at + before, &e);
	struct draft *d;

	if (!n)
		return 0;
	if (!before && is_about_others(q, at, n) && !query_attribute(q, e->attribute)->is_kind)
		return 0;
	d = draft_values(q, at, at + before, n, e);
	if (!d)
		return 0;
	d->is_named = before;
	d->is_explicit =
	    before || is_told(q, at) || (e->kind == ENTRY_VALUE && e->share < SHARE_MIN);
	/* "blue color" */
	n = query_longest(q, d->end, ENTRY_NAME, &name);
	if (n && name->attribute == d->attribute && d->kind == DRAFT_VALUES && !before) {
		for (size_t i = d->end; i < d->end + n; i++) {
			q->use[i] = USE_DRAFT;
			q->draft[i] = (uint8_t)(d - q->drafts);
		}
		d->end = (uint16_t)(d->end + n);
	}
	return (size_t)(d->end - at);
}

static size_t take_near(struct query *q, size_t at)
{
	const struct query_token *t = &q->text.t[at];
	const struct entry *e = NULL;
	struct draft *d;

	if (t->kind == QUERY_WORD && !t->class && !q->phrases[at][0] && !q->kinds[at][0])
		e = vocabulary_near(q->v, query_folded(&q->text, at, 1),
				    query_singular(&q->text, at, 1));
	d = e ? query_add(q, DRAFT_VALUES, at, at + 1) : NULL;
	if (!d)
		return 0;
	d->attribute = e->attribute;
	d->is_near = true;
	add_values(d, e);
	return 1;
}

/* --- orders and negations -------------------------------------------------------------------- */

/* "highest refresh rate", "largest screen". */
static size_t most_of(const struct query *q, size_t at, const struct entry **ret_most,
		      const struct entry **ret_name)
{
	size_t n = query_longest(q, at, ENTRY_MOST, ret_most);
	size_t names = n ? query_longest(q, at + n, ENTRY_NAME, ret_name) : 0;

	return names && query_attribute(q, (*ret_name)->attribute)->type != SEARCH_TEXT ? n + names
											: 0;
}

/* One of the rules, "cheapest"; but "longest warranty" is no long cable. */
static size_t order_of(const struct query *q, size_t at, int *ret_attribute, bool *ret_descending)
{
	const struct entry *e = NULL, *most, *name, *value;
	size_t n = query_longest(q, at, ENTRY_ORDER, &e), mosts = most_of(q, at, &most, &name);

	if (mosts > n) {
		*ret_attribute = name->attribute;
		*ret_descending = most->is_descending;
		return mosts;
	}
	if (!n || query_longest_value(q, at, &value) > n)
		return 0;
	*ret_attribute = e->attribute;
	*ret_descending = e->is_descending;
	return n;
}

static size_t take_order(struct query *q, size_t at)
{
	bool is_descending = false;
	int attribute = -1;
	size_t n = order_of(q, at, &attribute, &is_descending), end = at + n;

	if (!n)
		return 0;
	while (query_is_word(q, end, "first") || query_is_word(q, end, "one") ||
	       query_is_word(q, end, "ones"))
		end++;
	for (size_t i = at; i < end; i++)
		q->use[i] = q->order >= 0 ? USE_DROPPED : USE_ORDER;
	if (q->order < 0) {
		q->order = attribute;
		q->order_is_descending = is_descending;
		q->order_first = (uint16_t)at;
		q->order_end = (uint16_t)end;
	}
	return end - at;
}

/* Words of an excluded phrase: up to one that means something else. */
static size_t excluded_words(const struct query *q, size_t at)
{
	const struct entry *e;
	size_t n = 0;

	while (n < EXCLUDED_WORDS_MAX && query_is_free(q, at + n)) {
		const struct query_token *t = &q->text.t[at + n];

		if (t->class || t->quote || t->kind == QUERY_SIGN || t->is_minus ||
		    (n && (t->gap == QUERY_BREAK || query_longest_value(q, at + n, &e) ||
			   query_longest(q, at + n, ~(unsigned)(ENTRY_NUMBER | ENTRY_UNIT), &e))))
			break;
		n++;
	}
	return n;
}

static void exclude(struct query *q, size_t span_first, size_t first, size_t end)
{
	if (q->n_exclusions == ARRAY_LEN(q->exclusions))
		return;
	q->exclusions[q->n_exclusions++] =
	    (struct query_exclusion){.first = (uint16_t)first, .end = (uint16_t)end};
	for (size_t i = span_first; i < end; i++)
		q->use[i] = USE_EXCLUDED;
}

/* "not too expensive", "no 5", "not only": nothing is negated that could be left out. */
static bool is_idle_negation(const struct query *q, size_t at)
{
	static const char *const words[] = {"too",  "so",   "very", "that", "only", "just",
					    "sure", "much", "more", "less", "even"};

	if (!query_is_free(q, at) || q->text.t[at].kind == QUERY_NUMBER || q->text.t[at].quote)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (query_is_word(q, at, words[i]))
			return true;
	}
	return false;
}

/* Takes the draft that begins at `first` further to the left. */
static size_t negate(struct query *q, struct draft *d, size_t at)
{
	for (size_t i = at; i < d->first; i++) {
		q->use[i] = USE_DRAFT;
		q->draft[i] = (uint8_t)(d - q->drafts);
	}
	d->is_negated = true;
	d->first = (uint16_t)at;
	return (size_t)(d->end - at);
}

static size_t take_negation(struct query *q, size_t at)
{
	static const char *const skipped[] = {"a",  "an", "the",  "any",  "from", "by",
					      "in", "be", "made", "with", "being"};
	const struct entry *negation = NULL, *e = NULL;
	size_t n = query_longest(q, at, ENTRY_NEGATION, &negation), first = at + n;
	bool is_without, skips = true;

	if (!n)
		return 0;
	is_without = negation->negation == NEGATION_WITHOUT;
	while (skips && !query_longest_value(q, first, &e)) { /* "not in stock" */
		skips = false;
		for (size_t i = 0; i < ARRAY_LEN(skipped); i++)
			skips |= query_is_word(q, first, skipped[i]);
		first += skips;
	}
	if (query_is_free(q, first) && q->text.t[first].has_number && query_number(q, first))
		return negate(q, &q->drafts[q->n_drafts - 1], at);
	if (is_idle_negation(q, first))
		return 0;
	n = query_longest_value(q, first, &e);
	if (n && !(is_without && query_attribute(q, e->attribute)->is_kind)) {
		struct draft *d = draft_values(q, first, first, n, e);

		return d ? negate(q, d, at) : 0;
	}
	n = n ? n : excluded_words(q, first);
	if (!n)
		return 0;
	exclude(q, at, first, first + n);
	return first + n - at;
}

/* --- the pass -------------------------------------------------------------------------------- */

/* Whether the word is one with the one before: "wi-fi". */
static bool is_joined(const struct query *q, size_t at)
{
	const struct query_token *t = &q->text.t[at];
	uint32_t before = t[-1].end;

	return !t->quote && !t->is_minus && (t->gap == QUERY_GLUED || t->gap == QUERY_HYPHEN) &&
	       !memchr(q->text.s.data + before, ' ', t->start - before);
}

/* "-word", "-wi-fi", and -"several words". */
static void take_minus(struct query *q)
{
	const struct query_token *t = q->text.t;

	for (size_t i = 0, end; i < q->text.n; i = end) {
		for (end = i + 1; t[i].quote && end < q->text.n && t[end].quote == t[i].quote;)
			end++;
		while (t[i].is_minus && !t[i].quote && end < q->text.n && is_joined(q, end))
			end++;
		if (t[i].is_minus)
			exclude(q, i, i, end);
		for (size_t k = i; k < end && t[i].quote && !t[i].is_minus; k++)
			q->use[k] = USE_QUOTED;
	}
}

/* "show me", "i am looking for a", "can you find": what a person says to another. */
static void drop_request(struct query *q)
{
	static const char *const words[] = {"i",   "im",  "am",	   "we",  "id",	    "like",
					    "to",  "buy", "look",  "for", "me",	    "us",
					    "can", "you", "could", "do",  "have",   "a",
					    "an",  "the", "some",  "any", "please", "would"};
	static const char *const requests[] = {"need", "want", "looking", "searching", "search",
					       "find", "show", "give",	  "get",       "buy"};
	bool asks = false, is_known = true;
	size_t n = 0;

	while (n < q->text.n && is_known) {
		is_known = false;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			is_known |= query_is_word(q, n, words[i]);
		for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
			bool is_request = query_is_word(q, n, requests[i]);

			asks |= is_request;
			is_known |= is_request;
		}
		n += is_known;
	}
	for (size_t i = 0; asks && n > 1 && n < q->text.n && i < n; i++)
		q->use[i] = USE_DROPPED;
}

/* Whether a value comes before what the grammar would say: "out of stock", "4k", "without cloud".
 */
static bool is_value_first(const struct query *q, size_t at)
{
	const struct entry *value, *grammar, *unit;
	const struct query_token *t = &q->text.t[at];
	size_t values = query_longest_value(q, at, &value);

	if (!values)
		return false;
	if (t->has_number) {
		struct str letters = {q->text.folded + t->at + t->letters,
				      (size_t)(t->len - t->letters)};

		/* "3m filter", but "3m cable" */
		unit = entry_of(map_get(&q->v->phrases, letters), ENTRY_UNIT);
		return !query_measures(q, unit);
	}
	return values > query_longest(q, at, ENTRY_COMPARE | ENTRY_NEGATION | ENTRY_NAME, &grammar);
}

static size_t step(struct query *q, size_t at)
{
	const struct entry *e;
	size_t n = take_order(q, at);

	if (!n && is_value_first(q, at))
		n = take_value(q, at);
	if (!n)
		n = query_number(q, at);
	if (!n)
		n = take_negation(q, at);
	if (!n)
		n = take_value(q, at);
	if (!n)
		n = take_near(q, at);
	if (!n && query_longest(q, at, ENTRY_NOISE, &e)) {
		q->use[at] = USE_DROPPED;
		n = 1;
	}
	return n ? n : 1;
}

void search_query_understand(const struct search_vocabulary *v, struct str query,
			     const struct search_understanding *how, struct arena *arena,
			     struct search_understood *ret)
{
	struct query *q = arena_alloc(arena, sizeof(*q));

	q->v = v;
	q->order = -1;
	q->arena = arena;
	query_lex(query_clean(query, arena), &q->text);
	take_minus(q);
	if (!how->only_words) {
		look_up(q);
		find_kinds(q);
		drop_request(q);
		for (size_t i = 0; i < q->text.n;)
			i += q->use[i] == USE_NONE ? step(q, i) : 1;
		query_judge(q);
	}
	query_answer(q, how, ret);
}
