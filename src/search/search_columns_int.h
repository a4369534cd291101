/* Insides of the columns, shared by search_columns.c (writing, filters) and search_facets.c
 * (sorting, counting). */
#pragma once

#include "base/map.h"
#include "search/search_columns.h"
#include "search/search_sorted.h"

#include <roaring/roaring.h>

struct search_text_value {
	const char *text; /* as it first came */
	roaring_bitmap_t *documents;
};

struct search_value_list { /* the values that a document has; numbers from 1 */
	uint32_t *values;
	size_t n;
};

struct search_column {
	const char *name;
	const struct search_attribute *rules; /* of a member: those of its pairs */
	bool is_member;
	struct search_sorted numbers; /* by value; of a member by document */
	struct search_pair *loading;  /* numbers, until search_columns_end_load() */
	size_t n_loading, cap_loading;
	/* Of declared attributes, by document: the inverted bits of a number, 0: none; the number
	 * of a list, 0: none. */
	uint64_t **pages;
	size_t n_pages, cap_pages;
	uint32_t **list_pages;
	size_t n_list_pages, cap_list_pages;
	struct map by_text; /* folded, to the number of its value */
	struct search_text_value *values;
	size_t n_values, cap_values;
	struct map by_list;
	struct search_value_list *lists;
	size_t n_lists, cap_lists;
};

struct search_columns {
	struct arena arena; /* names and values; only grows */
	const struct search_collection *rules;
	struct search_column **columns; /* those of the rules first, in their order */
	size_t n, cap;
	struct map by_name;
	uint64_t values_sum; /* search_columns_values_sum() */
	bool is_loading;
};

/* Its inverse is 0. */
static inline double search_no_number(void)
{
	const uint64_t bits = UINT64_MAX;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* NaN: none. */
static inline double search_number_of(const struct search_column *column, uint32_t document)
{
	size_t page = document / SEARCH_WINDOW;
	uint64_t bits = page < column->n_pages && column->pages[page]
			    ? ~column->pages[page][document % SEARCH_WINDOW]
			    : UINT64_MAX;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static inline uint32_t search_list_of(const struct search_column *column, uint32_t document)
{
	size_t page = document / SEARCH_WINDOW;

	return page < column->n_list_pages && column->list_pages[page]
		   ? column->list_pages[page][document % SEARCH_WINDOW]
		   : 0;
}
