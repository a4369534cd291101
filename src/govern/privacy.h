/*
 * Personal data of one subject (rules/access.yaml says whose data it is), and columns that look
 * like personal data without being classed. Reads only. The plan must be bound (access.h). One
 * connection, one thread.
 */
#pragma once

#include "govern/access.h"

/*
 * Each column of each row that belongs to a subject, as a clearance sees it: rows of the subject's
 * table, and of every table that has a column of its key's name. Hidden columns are told with a
 * NULL text, as is SQL NULL. `row` counts from 1 in each table; at most PRIVACY_ROWS_MAX a table,
 * the newest by primary key. The texts live for the call. A negative answer of `fn` ends it.
 */
#define PRIVACY_ROWS_MAX 100

struct privacy_value {
	const char *table, *column;
	const char *pii; /* its class; "open"; NULL: not classed */
	enum access_mask mask;
	size_t row;
	bool is_first;	 /* column of its row */
	struct str text; /* data NULL: hidden, or SQL NULL */
};
typedef int (*privacy_value_fn)(void *arg, const struct privacy_value *v, struct err *err);

/* ERR_NOT_FOUND: there is no such subject. ERR_INVALID_ARGUMENT: the file says no subject. */
struct privacy_question {
	const struct access_clearance *clearance; /* whose eyes */
	const char *subject;			  /* its key */
	privacy_value_fn fn;
	void *arg;
};
int privacy_show(const struct access *a, const struct schema *s, struct maria *m,
		 const struct privacy_question *q, struct err *err) _must_check_;

/*
 * Columns that look like personal data and are not classed, or are called open: by their name, or
 * by what stands in the first PRIVACY_SAMPLE rows.
 */
#define PRIVACY_SAMPLE 1000

struct privacy_finding {
	const char *table, *column;
	const char *pii;     /* as which class it looks */
	const char *classed; /* "open", or NULL */
	bool by_name;
	uint64_t n_values, n_alike; /* of the sample, without NULL; those that look so */
};
typedef int (*privacy_finding_fn)(void *arg, const struct privacy_finding *f, struct err *err);

int privacy_detect(const struct access *a, const struct schema *s, struct maria *m,
		   privacy_finding_fn fn, void *arg, struct err *err) _must_check_;
