/*
 * Sorting and counting by columns: see search_columns.h.
 *
 * Texts are counted by the lists that documents have of them, which are few, and taken apart at
 * the end; numbers in ranges that are taken from the whole column beforehand. Members of pairs have
 * no pages: they are looked through as a whole.
 */
#include "search/search_columns_int.h"

#include "base/bits.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define RANGES 6   /* that numbers are counted in */
#define SAMPLE 600 /* numbers of a column that the ranges are taken from */

/* --- sorting --------------------------------------------------------------------------------- */

struct search_sort_keys {
	const struct search_column *column;
	double sign;
	const double *of_list; /* texts */
};

struct ranked {
	const char *text;
	uint32_t value;
};

static int by_text(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return strcmp(x->text, y->text);
}

/* Texts rank by their bytes; a document by its first value. */
static const double *rank_lists(const struct search_column *column, struct arena *arena)
{
	struct ranked *order = arena_alloc(arena, (column->n_values + 1) * sizeof(*order));
	double *rank = arena_alloc(arena, (column->n_values + 1) * sizeof(*rank));
	double *ret = arena_alloc(arena, (column->n_lists + 1) * sizeof(*ret));

	for (uint32_t i = 0; i < column->n_values; i++)
		order[i] = (struct ranked){column->values[i].text, i + 1};
	if (column->n_values)
		qsort(order, column->n_values, sizeof(*order), by_text);
	for (size_t i = 0; i < column->n_values; i++)
		rank[order[i].value] = (double)i;
	for (size_t i = 0; i < column->n_lists; i++)
		ret[i + 1] = rank[column->lists[i].values[0]];
	return ret;
}

int search_sort_keys_new(const struct search_columns *c, const struct search_order *order,
			 struct arena *arena, const struct search_sort_keys **ret, struct err *err)
{
	const struct search_column *column = search_columns_find(c, order->attribute, err);
	struct search_sort_keys *k;

	if (!column)
		return -ERR_INVALID_ARGUMENT;
	if (column->is_member)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" cannot be sorted by: the rules do not declare it",
			       column->name);
	k = arena_alloc(arena, sizeof(*k));
	k->column = column;
	k->sign = order->is_descending ? 1 : -1;
	if (column->rules->type == SEARCH_TEXT || column->rules->type == SEARCH_BOOLEAN)
		k->of_list = rank_lists(column, arena);
	*ret = k;
	return 0;
}

double search_sort_key(const struct search_sort_keys *k, uint32_t document)
{
	uint32_t list;
	double number;

	if (k->of_list) {
		list = search_list_of(k->column, document);
		return list ? k->sign * k->of_list[list] : -HUGE_VAL;
	}
	number = search_number_of(k->column, document);
	return isnan(number) ? -HUGE_VAL : k->sign * number;
}

/* --- counting -------------------------------------------------------------------------------- */

struct search_counter {
	const struct search_column *column;
	/* Documents of each list, in two counts by turns: the same list again waits for what was
	 * written to the other. NULL: the attribute has no lists. */
	uint32_t *lists;
	double bounds[RANGES]; /* of the ranges, ascending; the last is HUGE_VAL */
	uint32_t ranges[RANGES];
	size_t n_ranges; /* 0: it has no numbers */
	double min, max; /* of those counted */
	/* Of a member, which is counted at the end: the documents to be counted. */
	uint64_t *bits;
	size_t words;
	struct arena *arena;
};

/* 1, 2 or 5 times a power of ten. */
static double round_up(double x)
{
	double power = pow(10, floor(log10(x)));

	return x <= power	? power
	       : x <= 2 * power ? 2 * power
	       : x <= 5 * power ? 5 * power
				: 10 * power;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of numbers in order, the one at a place. */
static double number_at(const struct search_sorted *s, size_t place)
{
	size_t i = 0;

	while (place >= s->pieces[i].n)
		place -= s->pieces[i++].n;
	return s->pieces[i].items[place].value;
}

/* Of a member, whose numbers are in no order: some of them. */
static size_t sample(const struct search_sorted *s, double *ret)
{
	size_t step = s->len / SAMPLE + 1, n = 0, i = 0;
	struct search_place at = {0};
	const struct search_pair *p;

	while ((p = search_sorted_next(s, &at))) {
		if (i++ % step == 0)
			ret[n++] = p->value;
	}
	qsort(ret, n, sizeof(*ret), ascending);
	return n;
}

/* About as many of all documents in each range: prices crowd at the lower end. */
static void make_ranges(struct search_counter *n)
{
	const struct search_sorted *s = &n->column->numbers;
	double some[SAMPLE];
	size_t len = !s->len ? 0 : s->by_document ? sample(s, some) : s->len;

	for (size_t i = 1; len && i <= RANGES; i++) {
		size_t place = (len - 1) * i / RANGES;
		double x = s->by_document ? some[place] : number_at(s, place);

		if (x <= 0 && i < RANGES)
			continue;
		x = i < RANGES ? round_up(x) : HUGE_VAL;
		if (!n->n_ranges || x > n->bounds[n->n_ranges - 1])
			n->bounds[n->n_ranges++] = x;
	}
}

int search_counter_new(const struct search_columns *c, const char *attribute, struct arena *arena,
		       struct search_counter **ret, struct err *err)
{
	const struct search_column *column = search_columns_find(c, attribute, err);
	struct search_counter *n;

	if (!column)
		return -ERR_INVALID_ARGUMENT;
	n = arena_alloc(arena, sizeof(*n));
	n->column = column;
	n->arena = arena;
	n->min = HUGE_VAL;
	n->max = -HUGE_VAL;
	if (column->n_lists)
		n->lists = arena_alloc(arena, 2 * (column->n_lists + 1) * sizeof(*n->lists));
	make_ranges(n);
	*ret = n;
	return 0;
}

/* Arenas only grow: room is doubled, so that what is left behind is as much again. */
static void keep_bits(struct search_counter *n, uint32_t window, const uint16_t *places, size_t len)
{
	size_t first = (size_t)window * SEARCH_WINDOW_WORDS, need = first + SEARCH_WINDOW_WORDS;

	if (need > n->words) {
		size_t words = need < 2 * n->words ? 2 * n->words : need;
		uint64_t *more = arena_alloc(n->arena, words * sizeof(*more));

		if (n->bits)
			memcpy(more, n->bits, n->words * sizeof(*more));
		n->bits = more;
		n->words = words;
	}
	for (size_t i = 0; i < len; i++)
		bits_set(n->bits + first, places[i]);
}

static size_t range_of(const struct search_counter *n, double number)
{
	size_t i = 0;

	while (i + 1 < n->n_ranges && number >= n->bounds[i])
		i++;
	return i;
}

/* `seen`: ranges, as bits, in which the document was counted before. */
static void add_number(struct search_counter *n, double number, unsigned *seen)
{
	size_t range = range_of(n, number);

	n->ranges[range] += !(*seen >> range & 1);
	*seen |= 1U << range;
	n->min = fmin(n->min, number);
	n->max = fmax(n->max, number);
}

size_t search_places(const uint64_t *bits, uint16_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < SEARCH_WINDOW_WORDS; i++) {
		for (uint64_t rest = bits[i]; rest; rest &= rest - 1)
			ret[n++] = (uint16_t)(i * 64 + (size_t)__builtin_ctzll(rest));
	}
	return n;
}

typedef double two __attribute__((vector_size(16)));
typedef int64_t two_flags __attribute__((vector_size(16))); /* -1: true */

/* Without a number it has NaN, which is not above anything. */
static double number_in(const uint64_t *page, uint16_t place)
{
	uint64_t bits = ~page[place];
	double ret;

	memcpy(&ret, &bits, sizeof(ret));
	return ret;
}

/* Numbers of documents in any order are in any range: nothing predicts a branch, so that none is
 * taken. Two at a time, as each of them waits for what the one before it made of min and max. */
static void add_numbers(struct search_counter *n, const uint64_t *page, const uint16_t *places,
			size_t len)
{
	two_flags above[RANGES] = {0}; /* of the bound in front of the range, negative */
	two lower[RANGES];
	double min[2] = {n->min, n->min}, max[2] = {n->max, n->max};

	for (size_t r = 0; r < RANGES; r++) {
		double bound = r == 0 ? -HUGE_VAL : r < n->n_ranges ? n->bounds[r - 1] : HUGE_VAL;

		lower[r] = (two){bound, bound};
	}
	for (size_t i = 0; i < len; i += 2) {
		double a = number_in(page, places[i]),
		       b = i + 1 < len ? number_in(page, places[i + 1]) : search_no_number();

		for (size_t r = 0; r < RANGES; r++)
			above[r] += (two){a, b} >= lower[r];
		min[0] = a < min[0] ? a : min[0];
		min[1] = b < min[1] ? b : min[1];
		max[0] = a > max[0] ? a : max[0];
		max[1] = b > max[1] ? b : max[1];
	}
	for (size_t r = 0; r < n->n_ranges; r++) {
		two_flags beyond = r + 1 < n->n_ranges ? above[r + 1] : (two_flags){0};

		n->ranges[r] += (uint32_t)(beyond[0] + beyond[1] - above[r][0] - above[r][1]);
	}
	n->min = fmin(min[0], min[1]);
	n->max = fmax(max[0], max[1]);
}

void search_counter_add(struct search_counter *n, uint32_t window, const uint16_t *places,
			size_t len)
{
	const struct search_column *column = n->column;

	if (column->is_member) {
		keep_bits(n, window, places, len);
		return;
	}
	if (n->lists && window < column->n_list_pages && column->list_pages[window]) {
		const uint32_t *page = column->list_pages[window];

		for (size_t i = 0; i < len; i++)
			n->lists[(size_t)2 * page[places[i]] + i % 2]++;
	}
	if (window < column->n_pages && column->pages[window])
		add_numbers(n, column->pages[window], places, len);
}

struct counting {
	const struct search_counter *counter;
	uint32_t n;
};

static bool is_counted(const struct search_counter *n, uint32_t document)
{
	return document / 64 < n->words && bits_has(n->bits, document);
}

static bool count_document(uint32_t document, void *arg)
{
	struct counting *c = arg;

	c->n += is_counted(c->counter, document);
	return true;
}

/* The numbers of one document stand together. */
static void count_member(struct search_counter *n, uint32_t *documents)
{
	struct search_place at = {0};
	const struct search_pair *p;
	uint32_t document = UINT32_MAX;
	unsigned seen = 0;

	for (size_t i = 0; i < n->column->n_values; i++) {
		struct counting c = {.counter = n};

		roaring_iterate(n->column->values[i].documents, count_document, &c);
		documents[i] = c.n;
	}
	while ((p = search_sorted_next(&n->column->numbers, &at))) {
		seen = p->document == document ? seen : 0;
		document = p->document;
		if (is_counted(n, document))
			add_number(n, p->value, &seen);
	}
}

static void count_lists(const struct search_counter *n, uint32_t *documents)
{
	for (size_t i = 0; n->lists && i < n->column->n_lists; i++) {
		const struct search_value_list *list = &n->column->lists[i];
		const uint32_t *counts = &n->lists[2 * (i + 1)];

		for (size_t k = 0; k < list->n; k++)
			documents[list->values[k] - 1] += counts[0] + counts[1];
	}
}

static bool is_before(const struct search_facet *a, const struct search_facet *b)
{
	return a->documents != b->documents ? a->documents > b->documents
					    : strcmp(a->value, b->value) < 0;
}

/* Few of many are shown: they are kept in order while all are looked at. */
static size_t text_facets(const struct search_counter *n, const uint32_t *documents, size_t limit,
			  struct search_facet *ret)
{
	size_t len = 0;

	for (size_t i = 0; limit && i < n->column->n_values; i++) {
		struct search_facet f = {.value = n->column->values[i].text,
					 .documents = documents[i]};
		size_t at;

		if (!f.documents || (len == limit && !is_before(&f, &ret[len - 1])))
			continue;
		at = len < limit ? len++ : len - 1;
		for (; at && is_before(&f, &ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = f;
	}
	return len;
}

/* Ranges without documents are left out. */
static size_t number_facets(const struct search_counter *n, struct search_facet *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < n->n_ranges; i++) {
		if (n->ranges[i])
			ret[len++] = (struct search_facet){
			    .min = i ? n->bounds[i - 1] : -HUGE_VAL,
			    .max = n->bounds[i],
			    .documents = n->ranges[i],
			};
	}
	return len;
}

size_t search_counter_result(struct search_counter *n, size_t limit, struct arena *arena,
			     const struct search_facet **ret, double *ret_min, double *ret_max)
{
	size_t n_values = n->column->n_values, len;
	uint32_t *documents = arena_alloc(arena, (n_values + 1) * sizeof(*documents));
	struct search_facet *f = arena_alloc(arena, (n_values + RANGES + 2) * sizeof(*f));

	if (n->column->is_member)
		count_member(n, documents);
	else
		count_lists(n, documents);
	len = text_facets(n, documents, limit, f);
	len += number_facets(n, f + len);
	*ret = f;
	*ret_min = n->min;
	*ret_max = n->max;
	return len;
}
