/* Ratings of words: see search_opinion.h. */
#include "search/search_opinion.h"

#include <math.h>

#include "base/banned.h"

#define KNOWN_MIN     5	  /* documents a word is in, before it says something */
#define DOCUMENTS_MIN 20  /* of the collection */
#define SMOOTHING     1.0 /* Laplace's */

struct counts {
	uint32_t documents[SEARCH_RATINGS];
};

struct search_opinion {
	struct counts *terms; /* by number */
	size_t cap;
	struct counts all;
	uint64_t words[SEARCH_RATINGS]; /* of all documents */
};

struct search_opinion *search_opinion_new(void)
{
	return MEM_NEW(struct search_opinion);
}

struct search_opinion *search_opinion_free(struct search_opinion *o)
{
	if (!o)
		return NULL;
	mem_free(o->terms);
	mem_free(o);
	return NULL;
}

size_t search_opinion_memory(const struct search_opinion *o)
{
	return sizeof(*o) + o->cap * sizeof(*o->terms);
}

/* -1: none of the ratings. */
static int class_of(double rating)
{
	double whole = round(rating);

	return isnan(rating) || whole < 0 || whole >= SEARCH_RATINGS ? -1 : (int)whole;
}

/* The next term from `i` on that is in one of the fields; its number goes to `ret`. */
static size_t next_term(const struct search_rated *r, size_t i, uint32_t *ret)
{
	const struct search_occurrence *items = r->terms->items;
	size_t n = r->terms->n;

	while (i < n) {
		uint32_t term = items[i].term;
		bool counts = false;

		for (; i < n && items[i].term == term; i++)
			counts |= r->fields >> items[i].field & 1;
		if (!counts)
			continue;
		*ret = term;
		return i;
	}
	return SIZE_MAX;
}

static void change(struct search_opinion *o, const struct search_rated *r, bool is_added)
{
	int class = class_of(r->rating);
	uint32_t term = 0;

	if (class < 0)
		return;
	for (size_t i = 0; (i = next_term(r, i, &term)) != SIZE_MAX;) {
		uint32_t *n;

		mem_grow(&o->terms, &o->cap, term + 1UL, sizeof(*o->terms));
		n = &o->terms[term].documents[class];
		*n = is_added ? *n + 1 : *n - (*n > 0);
		o->words[class] = is_added ? o->words[class] + 1 : o->words[class] - 1;
	}
	o->all.documents[class] =
	    is_added ? o->all.documents[class] + 1 : o->all.documents[class] - 1;
}

void search_opinion_add(struct search_opinion *o, const struct search_rated *r)
{
	change(o, r, true);
}

void search_opinion_remove(struct search_opinion *o, const struct search_rated *r)
{
	change(o, r, false);
}

/* Those that others have given. */
static double others(uint32_t n, int class, int own)
{
	return n - (class == own && n > 0 ? 1.0 : 0.0);
}

static double sum_of(const struct counts *c, int own)
{
	double sum = 0;

	for (int k = 0; k < SEARCH_RATINGS; k++)
		sum += others(c->documents[k], k, own);
	return sum;
}

static double expected(const double *logs)
{
	double most = logs[0], sum = 0, ret = 0;

	for (int k = 1; k < SEARCH_RATINGS; k++)
		most = fmax(most, logs[k]);
	for (int k = 0; k < SEARCH_RATINGS; k++) {
		double p = exp(logs[k] - most);

		sum += p;
		ret += k * p;
	}
	return ret / sum;
}

double search_opinion_infer(const struct search_opinion *o, const struct search_rated *r)
{
	double logs[SEARCH_RATINGS], documents;
	int own = class_of(r->rating);
	uint32_t term = 0;
	size_t known = 0;

	documents = sum_of(&o->all, own);
	for (int k = 0; k < SEARCH_RATINGS; k++)
		logs[k] = log((others(o->all.documents[k], k, own) + SMOOTHING) /
			      (documents + SEARCH_RATINGS * SMOOTHING));
	for (size_t i = 0; (i = next_term(r, i, &term)) != SIZE_MAX;) {
		if (term >= o->cap || sum_of(&o->terms[term], own) < KNOWN_MIN)
			continue;
		known++;
		for (int k = 0; k < SEARCH_RATINGS; k++)
			logs[k] += log((others(o->terms[term].documents[k], k, own) + SMOOTHING) /
				       ((double)o->words[k] + SMOOTHING * (double)o->cap));
	}
	return documents < DOCUMENTS_MIN || !known ? (double)NAN : expected(logs);
}
