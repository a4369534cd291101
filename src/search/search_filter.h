/*
 * Conditions on attributes, as a caller gives them and as a query is understood: what they are, how
 * they are written, how they are read. "price<100", "brand=Sony|LG", "memory>=16",
 * "price=200..300", "color!=black".
 *
 * Plain values; texts belong to the arena of whoever made them.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_FILTERS_MAX     32   /* of a query */
#define SEARCH_VALUES_MAX      64   /* of a filter */
#define SEARCH_FILTER_TEXT_MAX 1024 /* bytes, as written */

enum search_filter_kind {
	SEARCH_FILTER_VALUES, /* the attribute has one of them; BOOLEAN: "true" or "false" */
	SEARCH_FILTER_RANGE,  /* numbers, and dates as microseconds since 1970 */
};

struct search_filter {
	const char *attribute;
	enum search_filter_kind kind;
	bool is_negated; /* true for documents without the attribute too */
	size_t n_values;
	const char **values;
	double min, max;	       /* -INFINITY and INFINITY: no bound */
	bool is_min_open, is_max_open; /* the bound itself is left out */
};

struct search_order {
	const char *attribute; /* NULL: by relevance */
	bool is_descending;
};

/*
 * Reads one as it is written. Whether there is such an attribute, and whether its type goes with
 * the condition, is for who applies it; a date is written 2024-02-12. ERR_INVALID_ARGUMENT quotes
 * what is wrong.
 */
int search_filter_parse(struct str text, struct arena *arena, struct search_filter *ret,
			struct err *err) _must_check_;
void search_filter_write(const struct search_filter *f, struct strbuf *b);
/* "price", "-price" (descending), "relevance". */
int search_order_parse(struct str text, struct arena *arena, struct search_order *ret,
		       struct err *err) _must_check_;
