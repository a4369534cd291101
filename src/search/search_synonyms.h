/*
 * Words that mean the same to who searches: a file of lines
 *
 *	tv, television, telly		each finds the others
 *	cell phone => mobile phone	the left finds the right, and not the reverse
 *	# a comment
 *
 * Immutable once it is read: any number of threads may use it. Words are kept as terms
 * (search_analyzer.h).
 */
#pragma once

#include "search/search_analyzer.h"

#define SEARCH_SYNONYM_WORDS 6	   /* of one side */
#define SEARCH_SYNONYMS_MAX  50000 /* sides of the file */

struct search_synonyms;

/* ERR_INVALID_ARGUMENT names file and line; ERR_NOT_FOUND: there is no file. */
int search_synonyms_load(const char *path, const char *language, struct search_synonyms **ret,
			 struct err *err) _must_check_;
int search_synonyms_parse(const char *file, struct str text, const char *language,
			  struct search_synonyms **ret, struct err *err) _must_check_;
struct search_synonyms *search_synonyms_free(struct search_synonyms *s);
DEFINE_CLEANUP(struct search_synonyms *, search_synonyms_free)

struct search_synonym { /* what may be said instead */
	size_t n;
	const struct str *terms;
};
/*
 * The longest run of terms from the first on that has synonyms: of how many terms it is, 0 for
 * none, and what they are.
 */
size_t search_synonyms_find(const struct search_synonyms *s, const struct str *terms, size_t n,
			    const struct search_synonym **ret, size_t *ret_n);
