/*
 * The dictionary of an index: terms and their dense numbers, found exactly, by prefix, and when
 * they are misspelled.
 *
 * Misspelling is looked up by deletion (Garbe's symmetric delete): each term of letters is entered
 * under what is left of it when letters are taken out, and a query's word probes with what is left
 * of itself; candidates are then verified (optimal string alignment: insert, delete, replace, swap
 * of neighbours). Terms with a digit are never entered and never corrected: another number is
 * another thing.
 *
 * Threads: one that adds, none that reads meanwhile (the owner's lock).
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_TERM_NONE       UINT32_MAX
#define SEARCH_TERMS_BYTES_MAX 255 /* of a term; it has one at least */

struct search_terms;

struct search_terms *search_terms_new(void);
struct search_terms *search_terms_free(struct search_terms *t);
DEFINE_CLEANUP(struct search_terms *, search_terms_free)

size_t search_terms_count(const struct search_terms *t);
size_t search_terms_memory(const struct search_terms *t); /* bytes */
/* When it is known how many there will be: room, and they are put in order once all are there. */
void search_terms_reserve(struct search_terms *t, size_t n);
/* Numbers are given in order, from 0; a term that is there keeps its number. */
uint32_t search_terms_add(struct search_terms *t, struct str term);
uint32_t search_terms_find(const struct search_terms *t, struct str term);
/* Stays where it is as long as the dictionary. */
struct str search_terms_text(const struct search_terms *t, uint32_t number);

struct search_near {
	uint32_t term;
	uint8_t distance; /* 0 for none that is only prefix */
};
/* Edits that a word of so many characters may differ by: 0 below 4, 1 below 8, else 2. */
unsigned search_terms_tolerance(size_t characters);
/* Terms of letters (4 to 24) within `distance` edits, but no more than the tolerance of `word`;
 * nearest first, then by number; the exact one is not among them. At most `max`. None for a word
 * with a digit. */
size_t search_terms_near(const struct search_terms *t, struct str word, unsigned distance,
			 struct search_near *ret, size_t max);
/* Terms that begin so, shortest first (in bytes), then by bytes; the term itself comes first. At
 * most `max`, of which the caller takes the most frequent. */
size_t search_terms_prefix(const struct search_terms *t, struct str prefix, uint32_t *ret,
			   size_t max);
