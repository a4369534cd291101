/*
 * Personal data of one subject (rules/access.yaml says whose data it is), and columns that look
 * like personal data without being classed. Reads only. The plan must be bound (access.h). One
 * connection, one thread.
 */
#pragma once

#include "govern/access.h"
#include "store/mongo.h"

#include <jansson.h>

/*
 * Each column of each row that belongs to a subject, as a role sees it: rows of the subject's
 * table, of every table that has a column of its key's name, and of such views that the role is
 * given by name; of what the role may not read, nothing. Hidden columns are told with a NULL text,
 * as is SQL NULL. `row` counts from 1 in each; at most PRIVACY_ROWS_MAX of each, the newest by
 * primary key. The texts live for the call. A negative answer of `fn` ends it.
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

/*
 * Whether there is such a subject, written as its key is: what the audit says of "015" or "15abc"
 * nobody would find under 15. ERR_NOT_FOUND: there is none, or it is written otherwise.
 * ERR_INVALID_ARGUMENT: the file says no subject.
 */
int privacy_check_subject(const struct access *a, struct maria *m, const char *subject,
			  struct err *err) _must_check_;

/* Errors of privacy_check_subject(). */
struct privacy_question {
	const struct access_role *role; /* whose eyes */
	const char *subject;		/* its key */
	privacy_value_fn fn;
	void *arg;
};
int privacy_show(const struct access *a, const struct schema *s, struct maria *m,
		 const struct privacy_question *q, struct err *err) _must_check_;

/*
 * Columns, and fields of documents that no mapping makes, which look like personal data and are not
 * classed, or are called open: by their name, or by what stands in PRIVACY_SAMPLE rows at each end
 * of the table or collection.
 */
#define PRIVACY_SAMPLE 1000

struct privacy_finding {
	const char *store;   /* "MariaDB", "MongoDB" */
	const char *table;   /* or collection; one of the warehouse with its database */
	const char *column;  /* or dotted path of the field */
	const char *pii;     /* as which class it looks */
	const char *classed; /* "open", or NULL */
	bool by_name;
	uint64_t n_values, n_alike; /* of the sample, without NULL; those that look so */
};
typedef int (*privacy_finding_fn)(void *arg, const struct privacy_finding *f, struct err *err);

struct privacy_detect {
	const struct access *a;
	const struct schema *schema;
	const struct mapping_set *mappings;
	const char *warehouse; /* its database, which may not be there */
	struct maria *m;
	struct mongo *mongo; /* NULL: there is none */
	privacy_finding_fn fn;
	void *arg;
};
int privacy_detect(const struct privacy_detect *d, struct err *err) _must_check_;

/*
 * All that is held on a subject, for them: {"rows": {TABLE: [...]}, "warehouse": {TABLE: [...]},
 * "documents": {COLLECTION: [...]}, "seen_by": [...], "not_included": [{"what", "why"}]}, values as
 * MariaDB writes them, bytes in hex, documents as relaxed extended JSON with the fields of
 * MongoDB's users. The caller owns the value. ERR_NOT_FOUND.
 */
struct privacy_export {
	const struct access *a;
	const struct schema *schema;
	const struct mapping_set *mappings;
	const char *warehouse; /* its database, which may not be there */
	struct maria *m;
	struct mongo *mongo;
	const char *subject; /* its key */
};
int privacy_export(const struct privacy_export *x, json_t **ret, struct err *err) _must_check_;

/* The field of a mapping's documents that says whose they are; NULL: none does. Lives as long as
 * the mapping. */
const char *privacy_owner_field(const struct access *a, const struct mapping *m);

/*
 * How far people stand out: how many share each combination of what a clearance sees of them in
 * their own table, byte by byte. Other tables are not judged: what somebody ordered when may find
 * them, too. Rows that stand for erased people (PRIVACY_ERASED_AT is not NULL) are nobody.
 * `columns` (NULL: all that it sees, but pseudonyms) are those that somebody may know of a person.
 * A group of one is a person.
 */
#define PRIVACY_ERASED_AT "erased_at"

struct privacy_crowd {
	uint64_t n_people, n_groups, smallest;
	uint64_t n_below; /* people in groups of fewer than `k` */
};
struct privacy_column {
	const char *name;
	enum access_mask mask;
	struct privacy_crowd alone;   /* by this column alone */
	struct privacy_crowd without; /* by all the others */
};
typedef int (*privacy_column_fn)(void *arg, const struct privacy_column *c, struct err *err);
struct privacy_anonymity {
	const struct access_clearance *clearance;
	const char *const *columns; /* ended by NULL; NULL: all */
	uint64_t k;
	privacy_column_fn fn; /* for each column */
	void *arg;
};
/* ERR_NOT_FOUND: there is no such column, or the clearance does not see it. */
int privacy_anonymity(const struct access *a, const struct schema *s, struct maria *m,
		      const struct privacy_anonymity *q, struct privacy_crowd *ret, struct err *err)
    _must_check_;
