/*
 * The attributes of one collection's documents, in memory, a column each: what hits are filtered,
 * sorted and counted by.
 *
 * Numbers and dates (microseconds since 1970) stand in the order of their values for ranges, and
 * by document for sorting; each value of a text or boolean attribute has a bitmap of its documents.
 * The members of an attribute with `pairs` are columns of their own, "specifications.wi_fi", made
 * as they come; a member may hold numbers in some documents and texts in others.
 *
 * Sets of documents are plain bitmaps here, a bit for each number of a document.
 *
 * Threads: one that writes, none that reads meanwhile (the owner's lock); any number that read.
 */
#pragma once

#include "search/search_filter.h"
#include "search/search_lexical.h"

#define SEARCH_VALUE_MAX 96 /* bytes of a text; a longer one is no value to filter by */

struct search_columns;

/* `rules` lives as long as the columns. */
struct search_columns *search_columns_new(const struct search_collection *rules);
struct search_columns *search_columns_free(struct search_columns *c);
DEFINE_CLEANUP(struct search_columns *, search_columns_free)
size_t search_columns_memory(const struct search_columns *c); /* bytes, roughly */

/* One value of a document. */
struct search_datum {
	uint16_t attribute; /* its place in the rules */
	bool is_number;	    /* or a date; else `text`: booleans are "true" and "false" */
	struct str member;  /* of an attribute with pairs */
	double number;
	struct str text;
};
/* A document that has none so far; and the reverse, with the same values. Those of an attribute
 * stand together. */
void search_columns_put(struct search_columns *c, uint32_t document, const struct search_datum *d,
			size_t n);
void search_columns_remove(struct search_columns *c, uint32_t document,
			   const struct search_datum *d, size_t n);
/* Between these two documents are put only, and nothing is asked: numbers are put in order at the
 * end, all at once. */
void search_columns_start_load(struct search_columns *c);
void search_columns_end_load(struct search_columns *c);

/* --- asking ---------------------------------------------------------------------------------- */

/*
 * Clears the bit of each document that does not fulfil the condition. ERR_INVALID_ARGUMENT: there
 * is no such attribute (the message names the nearest), or it is of another type.
 */
int search_columns_filter(const struct search_columns *c, const struct search_filter *f,
			  uint64_t *bits, size_t words, struct err *err) _must_check_;

struct search_column; /* borrowed; lives as long as the columns */
/* NULL: ERR_INVALID_ARGUMENT. */
const struct search_column *search_columns_find(const struct search_columns *c, const char *name,
						struct err *err);

/* What to sort by: numbers as they are, texts by their place in order; -INFINITY for a document
 * without, which comes last in either direction. */
struct search_sort_keys;
int search_sort_keys_new(const struct search_columns *c, const struct search_order *order,
			 struct arena *arena, const struct search_sort_keys **ret, struct err *err)
    _must_check_;
double search_sort_key(const struct search_sort_keys *k, uint32_t document); /* more is better */

/* --- counting -------------------------------------------------------------------------------- */

struct search_facet {
	const char *value; /* of texts; NULL: a range of numbers */
	double min, max;   /* from min to below max; -INFINITY, INFINITY: no bound */
	uint32_t documents;
};
struct search_counter; /* of one query, in its arena */

int search_counter_new(const struct search_columns *c, const char *attribute, struct arena *arena,
		       struct search_counter **ret, struct err *err) _must_check_;
/* The bits of a window that are set, ascending; `ret` has room for all of them. */
size_t search_places(const uint64_t *bits, uint16_t *ret);
/* Each window once: those of its documents. */
void search_counter_add(struct search_counter *n, uint32_t window, const uint16_t *places,
			size_t len);
/* The values of most documents first, at most `limit`; then ranges of numbers, with round bounds.
 * `ret_min`, `ret_max`: of the numbers counted; INFINITY, -INFINITY: there are none. */
size_t search_counter_result(struct search_counter *n, size_t limit, struct arena *arena,
			     const struct search_facet **ret, double *ret_min, double *ret_max);

/* The values of a text attribute with the number of their documents, none without. */
typedef void (*search_value_fn)(void *arg, const char *value, uint32_t documents);
void search_columns_values(const struct search_columns *c, size_t attribute, search_value_fn fn,
			   void *arg);
/* Another one when other values have documents, or others are rare. */
uint64_t search_columns_values_sum(const struct search_columns *c);
