/*
 * Vocabularies of the shipped rules and of tests/data/search/vocabulary.tsv: what the shipped
 * catalogue has, a value a line (attribute, documents, text; "*": a word), "@" and the number of
 * documents before each collection.
 */
#pragma once

#include "search/search_query.h"

struct query_catalogue;

/* Fails the test when a file cannot be read. */
struct query_catalogue *query_catalogue_new(void);
struct query_catalogue *query_catalogue_free(struct query_catalogue *c);
/* Lives as long as `c`; NULL: there is no such collection. */
const struct search_vocabulary *query_catalogue_vocabulary(struct query_catalogue *c,
							   const char *collection);
/* The text of a file below the source's root. */
char *query_catalogue_read(const char *path);
