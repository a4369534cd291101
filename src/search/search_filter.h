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
	/* The attribute has one of them. BOOLEAN: "true" or "false"; NUMBER: numbers in text, "16";
	 * DATE: days, "2024-02-12". */
	SEARCH_FILTER_VALUES,
	SEARCH_FILTER_RANGE, /* numbers, and dates as microseconds since 1970 */
};

struct search_filter {
	const char *attribute;
	enum search_filter_kind kind;
	bool is_negated; /* true for documents without the attribute too */
	size_t n_values;
	const char **values;
	double min, max;	       /* -INFINITY and INFINITY: no bound */
	bool is_min_open, is_max_open; /* the bound itself is left out */
	bool is_date;		       /* RANGE: the bounds are dates, and written so */
};

struct search_order {
	const char *attribute; /* NULL: by relevance */
	bool is_descending;
};

/*
 * Reads one as it is written:
 *
 *   price<100  price<=100  price>16  price>=16        one bound
 *   price=200..300  price=..300  price=200..          both, either may be missing
 *   price=200<..<300                                  without the bounds themselves
 *   brand=Sony|LG  memory=16  released=2024-02-12     values
 *   color!=black  price!=200..300  price!<100         not so
 *   name="a | b \"c\""                                a value with special characters
 *
 * Bounds are numbers or days: 2024-02-12 as upper bound means until its end. Whether there is such
 * an attribute, and whether its type goes with the condition, is for who applies it.
 * ERR_INVALID_ARGUMENT quotes what is wrong. What is written is read as the same again.
 */
int search_filter_parse(struct str text, struct arena *arena, struct search_filter *ret,
			struct err *err) _must_check_;
void search_filter_write(const struct search_filter *f, struct strbuf *b);

/* Microseconds since 1970 of a day's begin; false: there is no such day, or its year is not one of
 * 1000 to 9999. */
bool search_day(int64_t year, int64_t month, int64_t day, double *ret_us);
bool search_day_read(struct str text, double *ret_us); /* "2024-02-12" */
#define SEARCH_DAY_US 86400e6

/* "price", "-price" (descending), "relevance". */
int search_order_parse(struct str text, struct arena *arena, struct search_order *ret,
		       struct err *err) _must_check_;
