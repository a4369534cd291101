/*
 * What ratings the words of a text go with: a naive Bayes classifier (multinomial, smoothed) of the
 * whole ratings from 0 to 5, learned from the collection's own documents as they come and go. So
 * "runs hot and switches itself off" is told from "first-class quality" in the shop's own language,
 * and a text that says something else than its stars shows.
 *
 * The owner's lock guards it.
 */
#pragma once

#include "search/search_forward.h"

#define SEARCH_RATINGS 6

struct search_opinion;

struct search_opinion *search_opinion_new(void);
struct search_opinion *search_opinion_free(struct search_opinion *o);
size_t search_opinion_memory(const struct search_opinion *o); /* bytes */

struct search_rated {
	const struct search_forward *terms;
	uint8_t fields; /* bits of those whose words count */
	double rating;	/* NaN: none, and nothing is learned */
};
void search_opinion_add(struct search_opinion *o, const struct search_rated *r);
void search_opinion_remove(struct search_opinion *o, const struct search_rated *r);
/* The rating that its words speak of, from 0 to 5, as the others have it: what the document itself
 * added is left out. NaN: too little is known. */
double search_opinion_infer(const struct search_opinion *o, const struct search_rated *r);
