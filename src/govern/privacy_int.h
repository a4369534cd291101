/* What the files of privacy.h share. */
#pragma once

#include "govern/privacy.h"

/* A class of personal data: names of columns, and the form of values. */
struct privacy_look {
	const char *pii;
	const char *const *names; /* by fnmatch(3), in any case; ended by NULL */
	const char *form;	  /* for MariaDB's REGEXP and for PCRE2; NULL: values do not tell */
};
#define PRIVACY_LOOKS 7
extern const struct privacy_look privacy_looks[PRIVACY_LOOKS];

struct privacy_counts {
	uint64_t n_values, n_alike[PRIVACY_LOOKS];
};

/* Tells the first look that fits the last name of `f->column`, or most of the values; `counts` may
 * be NULL. Fills the rest of `f`. */
int privacy_judge(const struct privacy_detect *d, struct privacy_finding *f,
		  const struct privacy_counts *counts, struct err *err) _must_check_;

/* Fields of documents (privacy_documents.c). */
int privacy_detect_documents(const struct privacy_detect *d, struct err *err) _must_check_;

/* The collections of a database without views and MongoDB's own, ended by NULL; the caller frees
 * them. */
int privacy_collections(mongoc_database_t *db, char ***ret, struct err *err) _must_check_;
void privacy_collections_free(char **names);
