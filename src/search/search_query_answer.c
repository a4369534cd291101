/*
 * From judged drafts to the answer: constraints with a reading for people, and the words that are
 * left, as phrases and as one text.
 *
 * What is left stands in runs between what was taken out. A run loses the joining words at its ends
 * that were only there for what went ("a laptop that costs" is a laptop), but keeps "for" at its
 * begin: "keyboard under $50 for travelling" is a keyboard for travelling. When nothing but joining
 * words was asked ("The Who"), they stay.
 */
#include "search/search_query_int.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

#include "base/banned.h"

#define READING_MAX 512

/* --- readings -------------------------------------------------------------------------------- */

static void add_number(const struct search_attribute *a, double x, struct strbuf *b)
{
	bool is_money = a->unit && !isalnum((unsigned char)*a->unit);

	if (is_money)
		strbuf_addf(b, "%s%.10g", a->unit, x);
	else
		strbuf_addf(b, "%.10g%s%s", x, a->unit ? " " : "", a->unit ? a->unit : "");
}

static void add_day(double us, struct strbuf *b)
{
	char text[CLOCK_TEXT_SIZE];

	strbuf_add(b, clock_format((int64_t)us, text), strlen("0000-00-00"));
}

static void read_numbers(const struct search_attribute *a, const struct draft *d, struct strbuf *b)
{
	if (d->is_fifth || (d->is_about && d->min < d->max)) {
		strbuf_addstr(b, "about ");
		add_number(a, (d->min + d->max) / 2, b);
	} else if (isinf(d->min)) {
		strbuf_addstr(b, d->is_max_open ? "below " : "at most ");
		add_number(a, d->max, b);
	} else if (isinf(d->max)) {
		strbuf_addstr(b, d->is_min_open ? "above " : "at least ");
		add_number(a, d->min, b);
	} else {
		add_number(a, d->min, b);
		if (d->min < d->max) {
			strbuf_addstr(b, " to ");
			add_number(a, d->max, b);
		}
	}
}

/* The end of a range of dates is the begin of the first day that is out of it. */
static void read_dates(const struct draft *d, struct strbuf *b)
{
	if (isinf(d->min)) {
		strbuf_addstr(b, "before ");
		add_day(d->max, b);
		return;
	}
	strbuf_addstr(b, isinf(d->max) ? "since " : "from ");
	add_day(d->min, b);
	if (!isinf(d->max)) {
		strbuf_addstr(b, " to ");
		add_day(d->max - SEARCH_DAY_US, b);
	}
}

/* "in_store" is for machines. */
static void read_values(const struct draft *d, struct strbuf *b)
{
	for (size_t i = 0; i < d->n_values; i++) {
		strbuf_addstr(b, i ? " or " : "");
		for (const char *c = d->values[i]->value; *c; c++)
			strbuf_addch(b, *c == '_' ? ' ' : *c);
	}
}

/* "price below $100", "brand not HP", "not touchscreen". */
static const char *reading_of(const struct query *q, const struct draft *d)
{
	const struct search_attribute *a = query_attribute(q, (size_t)d->attribute);
	struct strbuf b = STRBUF_INIT(READING_MAX);
	const char *ret;

	if (a->type == SEARCH_BOOLEAN) {
		bool is_true = cstr_equal(d->values[0]->value, "true") != d->is_negated;

		strbuf_addf(&b, "%s%s", is_true ? "" : "not ", a->title);
	} else {
		strbuf_addf(&b, "%s %s", a->title, d->is_negated ? "not " : "");
		if (d->kind == DRAFT_VALUES)
			read_values(d, &b);
		else if (d->kind == DRAFT_DATES)
			read_dates(d, &b);
		else
			read_numbers(a, d, &b);
	}
	ret = arena_strndup(q->arena, strbuf_str(&b), b.len);
	strbuf_done(&b);
	return ret;
}

/* --- constraints ----------------------------------------------------------------------------- */

static const char *number_text(struct arena *arena, double x)
{
	struct search_filter f = {.attribute = "", .kind = SEARCH_FILTER_RANGE, .min = x};
	struct strbuf b = STRBUF_INIT(READING_MAX);
	const char *ret;

	f.max = HUGE_VAL;
	search_filter_write(&f, &b); /* ">=16" */
	ret = arena_strdup(arena, strbuf_str(&b) + strlen(">="));
	strbuf_done(&b);
	return ret;
}

static struct search_filter filter_of(const struct query *q, const struct draft *d)
{
	struct search_filter f = {
	    .attribute = query_attribute(q, (size_t)d->attribute)->name,
	    .is_negated = d->is_negated,
	    .min = d->min,
	    .max = d->max,
	    .is_min_open = d->is_min_open,
	    .is_max_open = d->is_max_open,
	    .is_date = d->kind == DRAFT_DATES,
	};

	if (d->kind != DRAFT_VALUES && d->min < d->max) {
		f.kind = SEARCH_FILTER_RANGE;
		return f;
	}
	f.kind = SEARCH_FILTER_VALUES;
	f.n_values = d->kind == DRAFT_VALUES ? d->n_values : 1;
	f.values = arena_alloc(q->arena, f.n_values * sizeof(*f.values));
	for (size_t i = 0; i < d->n_values; i++)
		f.values[i] = arena_strdup(q->arena, d->values[i]->value);
	if (d->kind != DRAFT_VALUES)
		f.values[0] = number_text(q->arena, d->min);
	return f;
}

static struct search_span span_of(const struct query *q, size_t first, size_t end)
{
	return (struct search_span){q->text.t[first].start, q->text.t[end - 1].end};
}

static int compare_places(const void *a, const void *b)
{
	const struct draft *x = *(const struct draft *const *)a;
	const struct draft *y = *(const struct draft *const *)b;

	return (int)x->first - (int)y->first;
}

/* In the order of the query; each keeps its bit when others are given up. */
static void answer_constraints(struct query *q, uint32_t without, struct search_understood *ret)
{
	struct draft *alive[QUERY_DRAFTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < q->n_drafts; i++) {
		if (!q->drafts[i].is_dead && q->drafts[i].ask != SEARCH_ASK_NO)
			alive[n++] = &q->drafts[i];
		q->drafts[i].is_dead = true;
	}
	if (n)
		qsort(alive, n, sizeof(struct draft *), compare_places);
	ret->constraints =
	    arena_alloc(q->arena, SEARCH_CONSTRAINTS_MAX * sizeof(*ret->constraints));
	for (size_t i = 0; i < n && i < SEARCH_CONSTRAINTS_MAX; i++) {
		struct draft *d = alive[i];

		if (without & (1U << i))
			continue;
		d->is_dead = false;
		ret->constraints[ret->n_constraints++] =
		    (struct search_constraint){.filter = filter_of(q, d),
					       .ask = d->ask,
					       .span = span_of(q, d->first, d->end),
					       .keeps_words = d->keeps_words,
					       .bit = 1U << i,
					       .certainty = d->certainty,
					       .reading = reading_of(q, d)};
	}
}

static void answer_order(struct query *q, uint32_t without, struct search_understood *ret)
{
	const struct search_attribute *a;

	if (q->order >= 0 && (without & SEARCH_WITHOUT_ORDER)) {
		for (size_t i = q->order_first; i < q->order_end; i++)
			q->use[i] = USE_NONE;
	} else if (q->order >= 0) {
		a = query_attribute(q, (size_t)q->order);
		ret->order = (struct search_order){a->name, q->order_is_descending};
		ret->order_span = span_of(q, q->order_first, q->order_end);
		ret->order_reading = arena_printf(
		    q->arena, "%s, %s first", a->title,
		    a->type == SEARCH_DATE ? (q->order_is_descending ? "newest" : "oldest")
					   : (q->order_is_descending ? "highest" : "lowest"));
	}
}

/* --- what is left ---------------------------------------------------------------------------- */

enum stay {
	STAY_GONE,
	STAY_WORD,
	STAY_QUOTED,
};

static enum stay stay_of(const struct query *q, size_t at)
{
	const struct draft *d = &q->drafts[q->draft[at]];

	switch (q->use[at]) {
	case USE_NONE:
		return STAY_WORD;
	case USE_QUOTED:
		return STAY_QUOTED;
	case USE_DRAFT:
		return d->is_dead || (d->keeps_words && at >= d->kept_first && at < d->kept_end)
			   ? STAY_WORD
			   : STAY_GONE;
	default:
		return STAY_GONE;
	}
}

static bool is_joining(const struct query *q, size_t at, unsigned classes)
{
	const struct query_token *t = &q->text.t[at];
	bool is_value = q->use[at] == USE_DRAFT && !q->drafts[q->draft[at]].is_dead;

	return !is_value && (t->kind == QUERY_SIGN || (t->class & classes));
}

/* Of a run: what was only there for what went. A "not" at its begin says something. */
static void trim(const struct query *q, size_t *first, size_t *end, bool is_first)
{
	unsigned begins = QUERY_DET | QUERY_CONJ | QUERY_AUX | (is_first ? QUERY_PREP : 0);

	while (*first < *end && is_joining(q, *first, begins) &&
	       !str_equal(query_folded(&q->text, *first, 1), str_from("not")))
		++*first;
	while (*end > *first &&
	       is_joining(q, *end - 1, QUERY_DET | QUERY_CONJ | QUERY_AUX | QUERY_PREP))
		--*end;
}

struct rest {
	struct query *q;
	struct search_understood *ret;
	struct strbuf text;
	bool keeps_joining; /* there is nothing else */
};

static void add_phrase(struct rest *r, size_t first, size_t end, struct search_phrase phrase)
{
	phrase.span = span_of(r->q, first, end);
	r->ret->phrases[r->ret->n_phrases++] = phrase;
	if (phrase.is_excluded)
		return;
	if (r->text.len)
		strbuf_addch(&r->text, ' ');
	strbuf_add(&r->text, r->ret->query + phrase.span.start,
		   phrase.span.end - phrase.span.start);
}

static void add_run(struct rest *r, size_t first, size_t end)
{
	if (!r->keeps_joining)
		trim(r->q, &first, &end, !r->text.len);
	if (first < end)
		add_phrase(r, first, end, (struct search_phrase){0});
}

static size_t end_of_run(const struct query *q, size_t at, enum stay stay)
{
	size_t end = at + 1;

	while (end < q->text.n && stay_of(q, end) == stay &&
	       (stay != STAY_QUOTED || q->text.t[end].quote == q->text.t[at].quote))
		end++;
	return end;
}

static const struct query_exclusion *exclusion_at(const struct query *q, size_t at)
{
	for (size_t i = 0; i < q->n_exclusions; i++) {
		if (q->exclusions[i].first == at)
			return &q->exclusions[i];
	}
	return NULL;
}

static void add_rest(struct rest *r)
{
	const struct query *q = r->q;
	size_t end;

	for (size_t i = 0; i < q->text.n; i = end) {
		const struct query_exclusion *x =
		    q->use[i] == USE_EXCLUDED ? exclusion_at(q, i) : NULL;
		enum stay stay = stay_of(q, i);

		end = stay == STAY_GONE ? i + 1 : end_of_run(q, i, stay);
		if (x)
			add_phrase(r, x->first, x->end,
				   (struct search_phrase){.is_exact = x->end - x->first > 1,
							  .is_excluded = true});
		else if (stay == STAY_QUOTED)
			add_phrase(r, i, end, (struct search_phrase){.is_exact = true});
		else if (stay == STAY_WORD)
			add_run(r, i, end);
	}
}

static bool has_only_joining(const struct query *q)
{
	for (size_t i = 0; i < q->text.n; i++) {
		if (stay_of(q, i) == STAY_GONE || !q->text.t[i].class)
			return false;
	}
	return true;
}

void query_answer(struct query *q, const struct search_understanding *how,
		  struct search_understood *ret)
{
	struct rest r = {.q = q, .ret = ret, .text = STRBUF_INIT(4 * (size_t)SEARCH_QUERY_MAX)};

	*ret = (struct search_understood){.query = q->text.s.data};
	answer_constraints(q, how->without, ret);
	answer_order(q, how->without, ret);
	for (size_t i = 0; i < q->text.n && (how->without & SEARCH_WITHOUT_EXCLUSIONS); i++) {
		if (q->use[i] == USE_EXCLUDED)
			q->use[i] = USE_NONE;
	}
	ret->phrases = arena_alloc(q->arena, (q->text.n + 1) * sizeof(*ret->phrases));
	r.keeps_joining = has_only_joining(q);
	add_rest(&r);
	ret->text = arena_strndup(q->arena, strbuf_str(&r.text), r.text.len);
	strbuf_done(&r.text);
}
