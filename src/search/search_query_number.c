/*
 * Numbers of a query: "under $100", "between 200 and 300", "at least 16 GB of ram", "27 inch or
 * bigger", "4+ stars", "released after 2020".
 *
 *   expression := [name link*] [comparison] amount [range amount] [after] [name] [after]
 *   amount := [currency] number [unit]
 *
 * Most numbers of a shop's queries are no conditions: "iphone 15", "usb 3.0", "4 port hub". So a
 * number counts by its unit, by its attribute's name, or, when it is compared with nothing else, as
 * money; and money has to be within what the rules call usual, with nothing behind it that it could
 * count ("at least 24 ports"), and no age ("for kids under 10").
 *
 * Of which attribute a unit is ("16 GB" of memory or of storage) is judged later, when it is known
 * what is looked for.
 */
#include "search/search_query_int.h"

#include <ctype.h>
#include <math.h>

#include "base/banned.h"

#define NUMBER_MAX 1e12 /* larger ones are codes */
#define YEAR_MIN   1990 /* of dates without a name */
#define YEAR_MAX   2099

struct amount {
	double value;
	const struct entry *unit; /* NULL: none */
	bool has_plus;		  /* "4+ stars" */
	bool is_word;		  /* "four" */
};

struct expression {
	size_t first, end;
	int attribute; /* named by its name or by "longer"; -1 */
	bool is_compared, is_named, is_told;
	enum query_op op;
	unsigned said;
	bool has_range;
	struct amount a, b;
	bool is_date;
	double day, day_end; /* of the date, or of the first one */
	double day_b_end;
};

static bool is_one_of(const struct query *q, size_t at, const char *const *words)
{
	for (; *words; words++) {
		if (query_is_word(q, at, *words))
			return true;
	}
	return false;
}

static bool is_of(const struct entry *unit, int attribute)
{
	for (; unit; unit = entry_of(unit->next, ENTRY_UNIT)) {
		if (unit->attribute == attribute)
			return true;
	}
	return false;
}

/* Money is what is written with a sign: "$", not "GB". */
static bool is_money(const struct query *q, const struct entry *unit)
{
	const char *sign = unit ? query_attribute(q, unit->attribute)->unit : NULL;

	return sign && !isalnum((unsigned char)*sign);
}

/* --- amounts --------------------------------------------------------------------------------- */

/* A unit at a token. */
static size_t read_unit(const struct query *q, size_t at, const struct entry **ret)
{
	const struct query_token *t = &q->text.t[at];
	size_t n = query_longest(q, at, ENTRY_UNIT, ret);

	/* "27 in stock" is no length, "27in" is one; "$100-$200" is no "100 $". */
	if (n &&
	    ((t->class && t->gap == QUERY_SPACE) || (t->kind == QUERY_SIGN && at + 1 < q->text.n &&
						     t[1].has_number && t[1].gap == QUERY_GLUED)))
		return 0;
	return n;
}

static size_t read_digits(const struct query *q, size_t at, struct amount *ret)
{
	const struct query_token *t = &q->text.t[at];
	struct str letters;

	if (!query_is_free(q, at) || !t->has_number || t->number > NUMBER_MAX ||
	    t->gap == QUERY_SLASH || (at + 1 < q->text.n && t[1].gap == QUERY_SLASH))
		return 0; /* 24/7 */
	ret->value = t->number;
	if (t->kind == QUERY_NUMBER)
		return 1;
	letters = (struct str){q->text.folded + t->at + t->letters, (size_t)(t->len - t->letters)};
	if (str_equal(letters, str_from("k"))) {
		ret->value *= 1000;
		return 1;
	}
	ret->unit = entry_of(map_get(&q->v->phrases, letters), ENTRY_UNIT);
	return ret->unit != NULL;
}

/* "fifty", "a hundred", "two hundred fifty". */
static size_t read_number_words(const struct query *q, size_t at, struct amount *ret)
{
	double total = 0, part = 0;
	size_t n = query_is_word(q, at, "a") ? 1 : 0, begin = at + n;

	for (at = begin; at < q->text.n && query_is_free(q, at); at++) {
		const struct entry *e = entry_of(q->phrases[at][0], ENTRY_NUMBER);

		if (!e || (at > begin && q->text.t[at].gap == QUERY_BREAK))
			break;
		if (n && at == begin && e->number < 100)
			return 0; /* "a ten" */
		if (e->number == 100) {
			part = (part > 0 ? part : 1) * 100;
		} else if (e->number > 100) {
			total += (part > 0 ? part : 1) * e->number;
			part = 0;
		} else {
			part += e->number;
		}
	}
	ret->value = total + part;
	ret->is_word = true;
	return at > begin ? n + at - begin : 0;
}

static size_t read_currency(const struct query *q, size_t at, struct amount *ret)
{
	const struct entry *unit;
	size_t n = query_longest(q, at, ENTRY_UNIT, &unit);

	if (n != 1 || !is_money(q, unit) || at + 1 >= q->text.n || !q->text.t[at + 1].has_number)
		return 0;
	ret->unit = unit;
	return 1;
}

static bool has_thousandths(const struct query *q, size_t at)
{
	const struct query_token *t = &q->text.t[at];
	struct str s = {q->text.folded + t->at, t->letters};

	return t->has_number && s.len > 4 && s.data[s.len - 4] == '.';
}

/* "4+ stars": the plus before the unit. */
static size_t read_plus(const struct query *q, size_t at, struct amount *a)
{
	const struct entry *unit;

	if (at + 1 >= q->text.n || !query_is_word(q, at, "+") || !read_unit(q, at + 1, &unit))
		return 0;
	a->has_plus = true;
	return 1;
}

/* The unit behind; where the currency stands before, only it once more: "$100 usd". */
static size_t read_unit_behind(const struct query *q, size_t at, struct amount *a,
			       bool has_currency)
{
	const struct entry *unit = NULL;
	size_t n = at < q->text.n && (!a->unit || has_currency) ? read_unit(q, at, &unit) : 0;

	if (!n || (has_currency && !is_money(q, unit)))
		return 0;
	if (!has_currency)
		a->unit = unit;
	return n;
}

static size_t read_amount(const struct query *q, size_t at, struct amount *ret)
{
	struct amount a = {0}, currency = {0};
	size_t n = read_currency(q, at, &currency), first = at + n, digits;

	digits = read_digits(q, first, &a);
	if (!digits)
		digits = read_number_words(q, first, &a);
	if (!digits || (currency.unit && a.unit))
		return 0;
	if (currency.unit)
		a.unit = currency.unit;
	n += digits;
	n += read_plus(q, at + n, &a);
	if (query_is_word(q, at + n, "%"))
		return 0;
	n += read_unit_behind(q, at + n, &a, currency.unit != NULL);
	/* Nobody prices to a thousandth: "1.299 euro" is written as half of Europe does. */
	if (is_money(q, a.unit) && has_thousandths(q, first))
		a.value *= 1000;
	if (a.is_word && !a.unit)
		return 0;
	*ret = a;
	return n;
}

/* --- dates ----------------------------------------------------------------------------------- */

static bool is_number_of(const struct query_token *t, size_t len)
{
	return t->kind == QUERY_NUMBER && t->len == len && t->has_number;
}

/* "2024-02-12", or a year; `ret_end` is where the day or the year ends. */
static size_t read_date(const struct query *q, size_t at, double *ret, double *ret_end)
{
	const struct query_token *t = &q->text.t[at];
	int64_t year;

	if (!query_is_free(q, at) || !is_number_of(t, strlen("2024")))
		return 0;
	year = (int64_t)t->number;
	if (at + 2 < q->text.n && t[1].gap == QUERY_HYPHEN && t[2].gap == QUERY_HYPHEN &&
	    is_number_of(&t[1], 2) && is_number_of(&t[2], 2)) {
		if (!search_day(year, (int64_t)t[1].number, (int64_t)t[2].number, ret))
			return 0;
		*ret_end = *ret + SEARCH_DAY_US;
		return 3;
	}
	if (year < YEAR_MIN || year > YEAR_MAX || !search_day(year, 1, 1, ret) ||
	    !search_day(year + 1, 1, 1, ret_end))
		return 0;
	return 1;
}

static bool is_date_attribute(const struct query *q, int attribute)
{
	return attribute >= 0 && query_attribute(q, (size_t)attribute)->type == SEARCH_DATE;
}

/* --- parts of an expression ------------------------------------------------------------------ */

static const char *const links[] = {"is", "are", "of",	"at",	 "be", "should", "must",
				    "a",  "an",	 "the", "range", "in", "to",	 NULL};

static void skip_links(const struct query *q, struct expression *e)
{
	const struct entry *unused;

	while (e->end < q->text.n && is_one_of(q, e->end, links) &&
	       !query_longest(q, e->end, ENTRY_MORE | ENTRY_LESS, &unused)) {
		size_t n = query_longest(q, e->end, ENTRY_COMPARE, &unused);

		if (n > 1 || (n == 1 && is_date_attribute(q, e->attribute)))
			return;
		e->end++;
	}
}

/* "price", "memory:", "rating is" before a comparison or an amount. */
static void read_name(const struct query *q, struct expression *e)
{
	const struct entry *name, *value;
	size_t n = query_longest(q, e->end, ENTRY_NAME, &name);
	size_t values = query_longest_value(q, e->end, &value);

	bool is_colon = n && e->end + n < q->text.n && q->text.t[e->end + n].gap == QUERY_COLON;

	/* "memory under 50": memory is what is looked for. */
	if (!n || values > n ||
	    (values == n && q->n_kinds < 2 && !is_colon &&
	     query_attribute(q, value->attribute)->is_kind))
		return;
	e->attribute = name->attribute;
	e->is_named = true;
	/* "pack of 24" */
	e->is_told =
	    is_colon || str_equal(query_folded(&q->text, e->end + n - 1, 1), str_from("of"));
	e->end += n;
	skip_links(q, e);
}

static size_t read_more(const struct query *q, size_t at, struct expression *e)
{
	const struct entry *more;
	size_t n = query_longest(q, at, ENTRY_MORE | ENTRY_LESS, &more);

	if (!n || !query_is_word(q, at + n, "than") ||
	    (e->is_named && e->attribute != more->attribute))
		return 0;
	e->attribute = more->attribute;
	e->is_named = true;
	e->op = more->kind == ENTRY_MORE ? OP_ABOVE : OP_BELOW;
	e->said = SAID_OF_BOTH;
	return n + 1;
}

/* "iphone 13 pro max 256gb" */
static bool is_of_model(const struct query *q, size_t at)
{
	bool is_max = query_is_word(q, at, "max") || query_is_word(q, at, "min");
	enum query_kind before = at ? q->text.t[at - 1].kind : QUERY_WORD;

	return is_max && at && query_is_free(q, at - 1) && q->text.t[at].gap != QUERY_BREAK &&
	       (before == QUERY_NUMBER || before == QUERY_MIXED || query_is_word(q, at - 1, "pro"));
}

static void read_comparison(const struct query *q, struct expression *e)
{
	static const char *const skipped[] = {"a", "an", "the", "of", "total", NULL};
	const struct entry *compare;
	size_t n = read_more(q, e->end, e);

	if (!n) {
		n = query_longest(q, e->end, ENTRY_COMPARE, &compare);
		if (!n || (n == 1 && is_of_model(q, e->end)))
			return;
		e->op = compare->op;
		e->said = compare->said;
	}
	e->is_compared = true;
	e->end += n;
	if (e->said == SAID_OF_MONEY) {
		skip_links(q, e);
		n = query_longest(q, e->end, ENTRY_COMPARE, &compare);
		if (n && (compare->said & SAID_OF_NUMBER)) {
			e->op = compare->op;
			e->end += n;
		}
	}
	while (is_one_of(q, e->end, skipped) &&
	       !(query_is_word(q, e->end, "a") && e->end + 1 < q->text.n &&
		 entry_of(q->phrases[e->end + 1][0], ENTRY_NUMBER)))
		e->end++;
}

/* "2020 and 2022": the second, and the words before it; 0: there is none. */
static size_t read_second_date(const struct query *q, size_t at, double *ret_end)
{
	double unused;
	size_t n = query_is_word(q, at, "and") || query_is_word(q, at, "to")
		       ? read_date(q, at + 1, &unused, ret_end)
		       : 0;

	return n ? n + 1 : 0;
}

static bool may_be_date(const struct query *q, const struct expression *e)
{
	if (is_date_attribute(q, e->attribute))
		return true;
	return e->attribute < 0 && q->v->date >= 0 && (e->said & (SAID_OF_DATE | SAID_FROM));
}

static bool read_dates(const struct query *q, struct expression *e)
{
	size_t n = may_be_date(q, e) ? read_date(q, e->end, &e->day, &e->day_end) : 0, second = 0;

	/* "between 2000 and 2500" is money. */
	if (!n || (e->op == OP_BETWEEN && e->attribute < 0 && n == 1))
		return false;
	e->day_b_end = e->day_end;
	if (e->op == OP_BETWEEN || e->said == SAID_FROM)
		second = read_second_date(q, e->end + n, &e->day_b_end);
	if (e->op == OP_BETWEEN && !second)
		return false;
	e->has_range = second;
	e->end += n + second;
	e->is_date = true;
	return true;
}

/* What stands between the ends of a range: a hyphen, dots, "to", "and"; `ret_n` are its words. */
static bool is_range_at(const struct query *q, size_t at, bool is_between, size_t *ret_n)
{
	enum query_gap gap = at < q->text.n ? q->text.t[at].gap : QUERY_BREAK;

	*ret_n = 0;
	if (gap == QUERY_HYPHEN || gap == QUERY_DOTS)
		return true;
	*ret_n = 1;
	return query_is_word(q, at, "to") || (is_between && query_is_word(q, at, "and"));
}

/* "100-200", "13 to 15 inch", "between 200 and 300". */
static void read_range(const struct query *q, struct expression *e)
{
	bool is_between = e->op == OP_BETWEEN || e->said == SAID_FROM;
	size_t words, n;

	if (!is_range_at(q, e->end, is_between, &words))
		return;
	n = e->end + words < q->text.n ? read_amount(q, e->end + words, &e->b) : 0;
	if (!n)
		return;
	if (!e->a.unit)
		e->a.unit = e->b.unit;
	else if (!e->b.unit)
		e->b.unit = e->a.unit;
	/* Without "between", "7 2" and "usb 3-1" are no ranges. */
	if (!is_between && !e->is_told &&
	    (!e->a.unit || (e->a.value > e->b.value && e->a.unit == e->b.unit)))
		return;
	e->has_range = true;
	e->end += words + n;
}

static bool read_amounts(const struct query *q, struct expression *e)
{
	size_t n = e->end < q->text.n ? read_amount(q, e->end, &e->a) : 0;

	if (!n || (e->said && !(e->said & (SAID_OF_NUMBER | SAID_OF_MONEY | SAID_FROM))))
		return false;
	e->end += n;
	read_range(q, e);
	if (e->has_range)
		e->op = OP_BETWEEN;
	return e->op != OP_BETWEEN || e->has_range;
}

/* "or more"; but in "min 16 gb max 2 kg", "max" is said of what follows. */
static void read_after(const struct query *q, struct expression *e)
{
	const struct entry *after;
	struct amount next;
	size_t n = e->end < q->text.n ? query_longest(q, e->end, ENTRY_AFTER, &after) : 0;

	if (!n || (e->end + n < q->text.n && read_amount(q, e->end + n, &next)))
		return;
	e->end += n;
	if (e->has_range || (e->is_compared && e->said != SAID_FROM))
		return;
	e->op = after->op;
	e->is_compared = true;
	e->said = SAID_BEHIND;
}

/* The attribute's name behind the amount: "16 GB of ram". A word that may as well be what is
 * looked for ("512gb ssd") is a name beside something else that is. */
static void read_name_behind(const struct query *q, struct expression *e)
{
	size_t at = e->end + query_is_word(q, e->end, "of"), n;
	const struct entry *name, *value;

	if (e->is_named || e->is_date || !e->a.unit || at >= q->text.n)
		return;
	n = query_longest(q, at, ENTRY_NAME, &name);
	if (!n || query_longest_value(q, at, &value) > n ||
	    (q->n_kinds < 2 && query_longest_value(q, at, &value) == n &&
	     query_attribute(q, value->attribute)->is_kind))
		return;
	while (name && !is_of(e->a.unit, name->attribute))
		name = entry_of(name->next, ENTRY_NAME);
	if (!name)
		return;
	e->attribute = name->attribute;
	e->is_named = true;
	e->end = at + n;
}

/* --- what counts ----------------------------------------------------------------------------- */

/* A word behind a number that it may count. */
static bool counts_something(const struct query *q, size_t at)
{
	const struct entry *e;

	if (at >= q->text.n || q->text.t[at].gap == QUERY_BREAK || q->text.t[at].quote ||
	    q->text.t[at].is_minus || !query_is_free(q, at) || q->text.t[at].class)
		return false;
	return !query_longest_value(q, at, &e) &&
	       !query_longest(q, at,
			      ENTRY_COMPARE | ENTRY_NEGATION | ENTRY_ORDER | ENTRY_NOISE |
				  ENTRY_QUALITY | ENTRY_NAME,
			      &e);
}

static bool is_of_people(const struct query *q, const struct expression *e)
{
	static const char *const ages[] = {"age",   "aged",	 "ages",     "adults", "babies",
					   "baby",  "boy",	 "boys",     "child",  "children",
					   "girl",  "girls",	 "kid",	     "kids",   "people",
					   "teens", "teenagers", "toddlers", NULL};

	return e->first && is_one_of(q, e->first - 1, ages);
}

static bool is_usual(const struct search_attribute *a, double value)
{
	return value >= a->usual_min && value <= a->usual_max;
}

/* A number without a unit and a name. */
static bool is_plain_money(const struct query *q, const struct expression *e)
{
	const struct search_attribute *a;

	/* "windows 10 or higher" */
	if (q->v->money < 0 || !(e->said || e->has_range) || e->said == SAID_BEHIND ||
	    e->op == OP_EQUAL || (e->said == SAID_FROM && !e->has_range))
		return false;
	a = query_attribute(q, (size_t)q->v->money);
	if (!is_usual(a, e->a.value) || (e->has_range && !is_usual(a, e->b.value)))
		return false;
	return e->said == SAID_OF_MONEY || (!counts_something(q, e->end) && !is_of_people(q, e));
}

/* Finds the attribute, or leaves it to the units; false: the numbers mean nothing. */
static bool find_attribute(const struct query *q, struct expression *e)
{
	if (e->is_named && e->a.unit)
		return is_of(e->a.unit, e->attribute) &&
		       (!e->has_range || is_of(e->b.unit, e->attribute));
	if (e->is_named) {
		/* "memory 16" says too little. */
		return (e->is_compared || e->has_range || e->is_told) &&
		       query_attribute(q, (size_t)e->attribute)->type == SEARCH_NUMBER &&
		       !(e->said == SAID_FROM && !e->has_range);
	}
	if (e->a.unit)
		return e->said != SAID_FROM || e->has_range || is_money(q, e->a.unit);
	if (!is_plain_money(q, e))
		return false;
	e->attribute = q->v->money;
	return true;
}

/* --- drafts ---------------------------------------------------------------------------------- */

static void set_bounds(struct draft *d, enum query_op op, double low, double high)
{
	d->min = -HUGE_VAL;
	d->max = HUGE_VAL;
	if (op != OP_BELOW && op != OP_AT_MOST)
		d->min = low;
	if (op != OP_ABOVE && op != OP_AT_LEAST)
		d->max = high;
	d->is_min_open = op == OP_ABOVE;
	d->is_max_open = op == OP_BELOW;
}

static void set_numbers(const struct query *q, const struct expression *e, struct draft *d)
{
	double low = e->a.value, high = e->has_range ? e->b.value : low;

	d->min_unit = e->a.unit;
	d->max_unit = e->has_range ? e->b.unit : e->a.unit;
	set_bounds(d, e->op, low, high);
	d->is_fifth = e->op == OP_ABOUT || (e->op == OP_NONE && is_money(q, e->a.unit));
	d->is_about = e->op == OP_NONE && !d->is_fifth;
}

/* A whole day or year: after it is from its end on, until it is to its end. */
static void set_dates(const struct expression *e, struct draft *d)
{
	bool is_below = e->op == OP_BELOW;

	set_bounds(d, e->has_range || e->op == OP_NONE ? OP_EQUAL : e->op,
		   e->op == OP_ABOVE ? e->day_end : e->day, is_below ? e->day : e->day_b_end);
	if (e->said == SAID_FROM)
		set_bounds(d, OP_EQUAL, e->day, e->day_b_end);
	d->is_min_open = false;
	d->is_max_open = !isinf(d->max);
}

size_t query_number(struct query *q, size_t at)
{
	struct expression e = {.first = at, .end = at, .attribute = -1};
	struct draft *d;

	read_name(q, &e);
	read_comparison(q, &e);
	if (!read_dates(q, &e) && !read_amounts(q, &e))
		return 0;
	if (e.a.has_plus) {
		e.op = OP_AT_LEAST;
		e.is_compared = true;
	}
	read_after(q, &e);
	read_name_behind(q, &e);
	read_after(q, &e);
	if (e.is_date && e.attribute < 0)
		e.attribute = q->v->date;
	if (!e.is_date && !find_attribute(q, &e))
		return 0;
	d = query_add(q, e.is_date ? DRAFT_DATES : DRAFT_NUMBERS, at, e.end);
	if (!d)
		return 0;
	d->attribute = e.attribute;
	d->is_named = e.is_named;
	d->is_compared = e.is_compared || e.has_range;
	if (e.is_date)
		set_dates(&e, d);
	else
		set_numbers(q, &e, d);
	return e.end - at;
}
