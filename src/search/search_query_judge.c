/*
 * What the drafts of a query are worth together: filters, boosts, or only words.
 *
 * The query is cut into segments at words that join ("for", "with", "which") and at breaks. The
 * first that has a noun says what is looked for. A kind ("keyboard") counts only as the head of it:
 * the last noun, since "keyboard tray" is no keyboard. And it is a filter only when all other words
 * of the segment are known not to change what it is: values ("black", "mechanical"), qualities
 * ("quiet"), numbers. One unknown word and it is a boost: there are baby monitors. The same holds
 * for brands and other values beside it; "from Sony" counts everywhere, "for Sony" nowhere.
 *
 * A filter is a promise that each hit keeps, a boost can do no harm: when in doubt it is a boost,
 * and in more doubt nothing.
 */
#include "search/search_query_int.h"

#include <math.h>

#include "base/banned.h"

#define SHARE_FILTER 0.4 /* of a brand's words: below it is a boost */
#define FIFTH	     0.2 /* "around 50" is 40 to 60 */

enum role {
	ROLE_KNOWN,   /* does not change what the thing is */
	ROLE_UNKNOWN, /* may do so */
	ROLE_KIND,
	ROLE_BOUND, /* between segments */
};

struct segment {
	size_t first, end;
	bool has_unknown, has_kind;
	bool is_prep; /* behind "for", "with" */
};

struct judge {
	struct query *q;
	uint8_t role[SEARCH_QUERY_WORDS_MAX];
	size_t n;
	struct segment segments[SEARCH_QUERY_WORDS_MAX];
	const struct segment *main; /* NULL: there is no noun */
	bool is_certain;	    /* the main segment has nothing unknown, or there is none */
};

static const struct search_attribute *attribute_of(const struct query *q, const struct draft *d)
{
	return query_attribute(q, (size_t)d->attribute);
}

static bool is_kind(const struct query *q, const struct draft *d)
{
	return d->kind == DRAFT_VALUES && attribute_of(q, d)->is_kind && !d->is_negated;
}

/* --- segments -------------------------------------------------------------------------------- */

/* "toner compatible with": what follows is said of it, and does not make it another thing. */
static bool is_participle(const struct query *q, size_t at)
{
	static const char *const words[] = {"compatible", "suitable", "designed", "made",
					    "fits",	  "fitting",  "works",	  "similar"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (query_is_word(q, at, words[i]))
			return true;
	}
	return false;
}

static enum role role_of_word(const struct query *q, size_t at, size_t *ret_n)
{
	const struct query_token *t = &q->text.t[at];
	const struct entry *e;
	size_t n = query_longest(q, at, ENTRY_QUALITY, &e);

	*ret_n = n ? n : 1;
	if (n || (t->class & (QUERY_DET | QUERY_CONJ)))
		return ROLE_KNOWN;
	if (t->class || t->kind == QUERY_SIGN || is_participle(q, at) ||
	    query_longest(q, at, ENTRY_COMPARE | ENTRY_NEGATION, &e))
		return ROLE_BOUND;
	return ROLE_UNKNOWN;
}

static enum role role_of(const struct query *q, size_t at, size_t *ret_n)
{
	*ret_n = 1;
	switch (q->use[at]) {
	case USE_DRAFT: {
		const struct draft *d = &q->drafts[q->draft[at]];

		*ret_n = (size_t)(d->end - at);
		return d->is_negated ? ROLE_BOUND : is_kind(q, d) ? ROLE_KIND : ROLE_KNOWN;
	}
	case USE_NONE:
		return role_of_word(q, at, ret_n);
	case USE_QUOTED:
	case USE_EXCLUDED:
		return ROLE_BOUND;
	default:
		return ROLE_KNOWN;
	}
}

static bool is_bound_before(const struct judge *j, size_t at)
{
	const struct query *q = j->q;
	bool is_inside = at && q->use[at] == USE_DRAFT && q->use[at - 1] == USE_DRAFT &&
			 q->draft[at] == q->draft[at - 1];

	return !at || j->role[at - 1] == ROLE_BOUND ||
	       (q->text.t[at].gap == QUERY_BREAK && !is_inside);
}

/* "for" and its like; what "from" tells of is judged by itself. */
static bool is_behind_prep(const struct query *q, size_t at)
{
	return at && (q->text.t[at - 1].class & QUERY_PREP);
}

static void cut(struct judge *j)
{
	size_t n;

	for (size_t i = 0; i < j->q->text.n; i += n) {
		enum role role = role_of(j->q, i, &n);

		for (size_t k = i; k < i + n; k++)
			j->role[k] = (uint8_t)role;
	}
	for (size_t i = 0; i < j->q->text.n; i++) {
		struct segment *s;

		if (j->role[i] == ROLE_BOUND)
			continue;
		if (is_bound_before(j, i))
			j->segments[j->n++] =
			    (struct segment){.first = i, .is_prep = is_behind_prep(j->q, i)};
		s = &j->segments[j->n - 1];
		s->end = i + 1;
		s->has_unknown |= j->role[i] == ROLE_UNKNOWN;
		s->has_kind |= j->role[i] == ROLE_KIND;
	}
	for (size_t i = 0; i < j->n && !j->main; i++) {
		if (j->segments[i].has_unknown || j->segments[i].has_kind)
			j->main = &j->segments[i];
	}
	j->is_certain = !j->main || !j->main->has_unknown;
}

static bool is_in(const struct segment *s, const struct draft *d)
{
	return s && d->first >= s->first && d->first < s->end;
}

static const struct segment *segment_of(const struct judge *j, const struct draft *d)
{
	size_t i = 0;

	while (i < j->n && !is_in(&j->segments[i], d))
		i++;
	return i < j->n ? &j->segments[i] : NULL;
}

static bool has_unknown_between(const struct judge *j, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		if (j->role[i] == ROLE_UNKNOWN)
			return true;
	}
	return false;
}

/* --- kinds ----------------------------------------------------------------------------------- */

static uint64_t documents_of(const struct draft *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n_values; i++)
		n += d->values[i]->documents;
	return n;
}

/* "mechanical" is known beside "keyboard", and unknown beside "laptop". */
static void find_strangers(struct judge *j)
{
	const struct query *q = j->q;

	for (size_t i = 0; i < q->n_drafts; i++) {
		const struct draft *d = &q->drafts[i];
		const struct search_attribute *a;
		bool is_held = false;

		if (d->kind != DRAFT_VALUES || d->is_negated || !is_in(j->main, d))
			continue;
		a = attribute_of(q, d);
		for (size_t k = 0; a->within && k < q->n_drafts; k++) {
			const struct draft *of = &q->drafts[k];

			if (is_kind(q, of) && is_in(j->main, of))
				is_held |= query_is_within(a, attribute_of(q, of), of->values[0]);
		}
		if (!a->within || is_held || !j->main->has_kind)
			continue;
		for (size_t k = d->first; k < d->end; k++)
			j->role[k] = ROLE_UNKNOWN;
		j->is_certain = false;
	}
}

/* The last of the drafts of a kind in the main segment; the others become words. */
static struct draft *head_of(struct judge *j, size_t attribute, bool *ret_is_compound)
{
	struct draft *head = NULL;
	bool is_apart = false;

	*ret_is_compound = false;
	for (size_t i = 0; i < j->q->n_drafts; i++) {
		struct draft *d = &j->q->drafts[i];

		if (!is_kind(j->q, d) || d->attribute != (int)attribute)
			continue;
		d->is_dead = true;
		if (!is_in(j->main, d))
			continue;
		if (head) {
			*ret_is_compound = true;
			is_apart |= has_unknown_between(j, head->end, d->first);
		}
		head = d;
	}
	return is_apart ? NULL : head;
}

static void judge_kind(struct judge *j, size_t attribute)
{
	const struct search_attribute *a = query_attribute(j->q, attribute);
	bool is_compound;
	struct draft *d = head_of(j, attribute, &is_compound);

	if (!d)
		return;
	/* "keyboard tray", but "laptop 2020" is still about laptops */
	d->is_dead = d->end < j->main->end && j->role[d->end] == ROLE_UNKNOWN &&
		     j->q->text.t[d->end].kind == QUERY_WORD;
	d->keeps_words = a->keeps_words;
	d->ask = a->ask;
	d->certainty = 0.9;
	if (is_compound || d->is_joined || d->is_near || !j->is_certain || documents_of(d) < 3) {
		d->ask = SEARCH_ASK_BOOST;
		d->certainty = d->is_near ? 0.4 : 0.5;
	}
	d->keeps_words |= d->ask == SEARCH_ASK_BOOST;
	if (d->is_dead)
		j->is_certain = false;
}

/* The kind beside which the attribute counts. */
static const struct draft *holder_of(const struct judge *j, const struct search_attribute *a)
{
	for (size_t i = 0; i < j->q->n_drafts; i++) {
		const struct draft *d = &j->q->drafts[i];

		if (!d->is_dead && is_kind(j->q, d)) {
			for (size_t k = 0; k < d->n_values; k++) {
				if (query_is_within(a, attribute_of(j->q, d), d->values[k]))
					return d;
			}
		}
	}
	return NULL;
}

static bool has_kind(const struct judge *j)
{
	for (size_t i = 0; i < j->q->n_drafts; i++) {
		if (!j->q->drafts[i].is_dead && is_kind(j->q, &j->q->drafts[i]))
			return true;
	}
	return false;
}

/* --- values ---------------------------------------------------------------------------------- */

static void set(struct draft *d, enum search_ask ask, double certainty)
{
	d->ask = ask;
	d->certainty = certainty;
}

static void boost(struct draft *d, double certainty)
{
	set(d, SEARCH_ASK_BOOST, certainty);
}

/* As the attribute asks, beside the kind that holds it. */
static void judge_within(const struct judge *j, struct draft *d)
{
	const struct search_attribute *a = attribute_of(j->q, d);
	const struct draft *holder = holder_of(j, a);

	if (holder)
		set(d, holder->ask == SEARCH_ASK_BOOST ? SEARCH_ASK_BOOST : a->ask,
		    holder->ask == SEARCH_ASK_BOOST ? 0.5 : 0.8);
	else if (has_kind(j) || !j->is_certain)
		d->is_dead = true;
	else
		boost(d, 0.4);
}

static double share_of(const struct draft *d)
{
	double share = 1;

	for (size_t i = 0; i < d->n_values; i++)
		share = fmin(share, d->values[i]->share);
	return share;
}

/* Whether a word that may change what the thing is stands right behind. */
static bool is_followed(const struct judge *j, const struct draft *d)
{
	const struct segment *s = segment_of(j, d);

	return s && d->end < s->end && j->role[d->end] == ROLE_UNKNOWN;
}

/* Whether all words beside it are known. */
static bool is_beside_known(const struct judge *j, const struct draft *d)
{
	const struct segment *s = segment_of(j, d);

	return s == j->main ? j->is_certain : !s || !s->has_unknown;
}

/* "for Sony", after what is looked for. */
static bool is_of_others(const struct judge *j, const struct draft *d)
{
	const struct segment *s = segment_of(j, d);

	return s && s->is_prep && j->main && j->main < s;
}

/* "sony headphones", "headphones from sony", "headphones, sony". */
static void judge_text(const struct judge *j, struct draft *d)
{
	bool is_told = d->is_explicit && !d->is_near;

	set(d, SEARCH_ASK_FILTER, 0.8);
	if (d->is_near)
		boost(d, 0.4);
	else if (is_told ? is_followed(j, d) : share_of(d) < SHARE_FILTER || !is_beside_known(j, d))
		boost(d, 0.5);
	d->is_dead = !is_told && is_of_others(j, d);
}

static void judge_values(const struct judge *j, struct draft *d)
{
	const struct search_attribute *a = attribute_of(j->q, d);

	d->keeps_words = a->keeps_words && !d->is_negated;
	if (d->is_negated)
		set(d, SEARCH_ASK_FILTER, 0.8);
	else if (a->within)
		judge_within(j, d);
	else if (a->ask == SEARCH_ASK_BOOST)
		boost(d, 0.6);
	else if (a->type == SEARCH_TEXT)
		judge_text(j, d);
	else
		set(d, a->ask, 0.9);
	d->keeps_words |= d->ask == SEARCH_ASK_BOOST;
}

/* "sony lenovo tv": the second brand can only be a wish. */
static void demote_second(const struct judge *j, size_t at)
{
	struct draft *d = &j->q->drafts[at];

	if (d->kind != DRAFT_VALUES || d->is_negated || d->ask != SEARCH_ASK_FILTER)
		return;
	for (size_t i = 0; i < at; i++) {
		const struct draft *other = &j->q->drafts[i];

		if (!other->is_dead && other->kind == DRAFT_VALUES && !other->is_negated &&
		    other->attribute == d->attribute && other->ask == SEARCH_ASK_FILTER)
			boost(d, 0.4);
	}
}

/* --- numbers --------------------------------------------------------------------------------- */

static double factor_of(const struct entry *unit, size_t attribute)
{
	for (; unit; unit = entry_of(unit->next, ENTRY_UNIT)) {
		if (unit->attribute == attribute)
			return unit->number;
	}
	return (double)NAN;
}

/* To twelve digits: 15 euros are 16.2 and not 16.200000000000003. */
static double tidy(double x)
{
	double scale;

	if (x == 0 || isinf(x))
		return x;
	scale = pow(10, 11 - floor(log10(fabs(x))));
	return round(x * scale) / scale;
}

static double in_unit(double value, const struct entry *unit, size_t attribute)
{
	return isinf(value) || !unit ? value : tidy(value * factor_of(unit, attribute));
}

static bool is_usual(const struct search_attribute *a, double min, double max)
{
	double low = isinf(min) ? max : min, high = isinf(max) ? min : max;

	return a->has_usual && low >= a->usual_min && high <= a->usual_max;
}

/* Of which attribute the unit is: what is looked for says it, then what is usual. */
static int attribute_of_unit(const struct judge *j, const struct draft *d)
{
	bool is_only = d->min_unit && !entry_of(d->min_unit->next, ENTRY_UNIT);
	int best = -1, best_score = 0;

	for (const struct entry *u = d->min_unit; u; u = entry_of(u->next, ENTRY_UNIT)) {
		const struct search_attribute *a = query_attribute(j->q, u->attribute);
		double min = in_unit(d->min, d->min_unit, u->attribute);
		double max = in_unit(d->max, d->max_unit, u->attribute);
		int score;

		if (isnan(min) || isnan(max))
			continue;
		score = (holder_of(j, a) ? 2 : 0) +
			(is_usual(a, min, max) || (is_only && d->is_compared && a->has_usual));
		if (score > best_score) {
			best = u->attribute;
			best_score = score;
		}
	}
	return best;
}

static bool is_whole(double x)
{
	return x == trunc(x);
}

/* Around what is asked for: a fifth, or as near as the rules say. */
static void widen(struct draft *d, const struct search_attribute *a, double raw_min, double raw_max)
{
	bool is_range = d->is_compared && !isinf(d->min) && !isinf(d->max) && d->min < d->max;

	if (d->is_fifth && d->min == d->max) {
		d->min = tidy(d->min * (1 - FIFTH));
		d->max = tidy(d->max * (1 + FIFTH));
		return;
	}
	if (a->is_least && d->is_about) {
		d->max = HUGE_VAL;
		d->is_about = false;
		return;
	}
	if (!a->has_near || !(d->is_about || is_range))
		return;
	if (is_whole(raw_min) || d->min != raw_min)
		d->min = tidy(d->min - a->near);
	if (is_whole(raw_max) || d->max != raw_max)
		d->max = tidy(d->max + a->near);
}

static void judge_number(const struct judge *j, struct draft *d)
{
	const struct search_attribute *a;
	double min = d->min, max = d->max;

	if (d->attribute < 0)
		d->attribute = attribute_of_unit(j, d);
	d->is_dead = d->attribute < 0;
	if (d->is_dead)
		return;
	a = attribute_of(j->q, d);
	d->min = in_unit(min, d->min_unit, (size_t)d->attribute);
	d->max = in_unit(max, d->max_unit, (size_t)d->attribute);
	if (d->min > d->max) {
		double swap = d->min;

		d->min = d->max;
		d->max = swap;
	}
	widen(d, a, min, max);
	if (d->is_compared || d->is_named)
		set(d, a->ask, d->min_unit || d->is_named ? 0.9 : 0.7);
	else if (a->within)
		judge_within(j, d);
	else if (a->has_near || a->is_least || d->is_fifth)
		set(d, a->ask, 0.6);
	else
		d->is_dead = true;
	/* A wish for exactly so much is found by its words too. */
	d->keeps_words = d->ask == SEARCH_ASK_BOOST && !d->is_compared;
	if (d->is_negated)
		d->ask = SEARCH_ASK_FILTER;
}

/* "not happy": the rest of the numbers. */
static void judge_meaning(const struct judge *j, struct draft *d)
{
	const struct search_attribute *a = attribute_of(j->q, d);

	set(d, a->ask, 0.7);
	if (a->within)
		judge_within(j, d);
	d->keeps_words = a->keeps_words || d->ask == SEARCH_ASK_BOOST;
	if (d->is_negated && (isinf(d->min) || isinf(d->max))) {
		bool is_below = isinf(d->min);

		d->is_negated = false;
		d->is_min_open = is_below;
		d->is_max_open = !is_below;
		if (is_below) {
			d->min = d->max;
			d->max = HUGE_VAL;
		} else {
			d->max = d->min;
			d->min = -HUGE_VAL;
		}
	}
}

/* --- all ------------------------------------------------------------------------------------- */

static bool is_same(const struct draft *a, const struct draft *b)
{
	if (a->attribute != b->attribute || a->is_negated != b->is_negated ||
	    a->n_values != b->n_values || a->min != b->min || a->max != b->max ||
	    (a->kind == DRAFT_VALUES) != (b->kind == DRAFT_VALUES))
		return false;
	for (size_t i = 0; i < a->n_values; i++) {
		if (!cstr_equal(a->values[i]->value, b->values[i]->value))
			return false;
	}
	return true;
}

static void judge_draft(const struct judge *j, struct draft *d)
{
	switch (d->kind) {
	case DRAFT_VALUES:
		judge_values(j, d);
		break;
	case DRAFT_NUMBERS:
		judge_number(j, d);
		break;
	case DRAFT_DATES:
		set(d, attribute_of(j->q, d)->ask, d->is_named ? 0.9 : 0.7);
		break;
	case DRAFT_MEANING:
		judge_meaning(j, d);
		break;
	}
}

void query_judge(struct query *q)
{
	struct judge j = {.q = q};

	cut(&j);
	find_strangers(&j);
	for (size_t i = 0; i < q->v->rules->n_attributes; i++) {
		if (query_attribute(q, i)->is_kind)
			judge_kind(&j, i);
	}
	for (size_t i = 0; i < q->n_drafts; i++) {
		if (!is_kind(q, &q->drafts[i]))
			judge_draft(&j, &q->drafts[i]);
		demote_second(&j, i);
	}
	for (size_t i = 0; i < q->n_drafts; i++) {
		for (size_t k = 0; k < i && !q->drafts[i].is_dead; k++) {
			if (!q->drafts[k].is_dead && is_same(&q->drafts[k], &q->drafts[i]))
				q->drafts[i].is_dead = true;
		}
	}
}
