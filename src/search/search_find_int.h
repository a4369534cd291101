/* Insides of a query, shared by search_find.c (what the hits are) and search_page.c (their order,
 * and what is told of them). */
#pragma once

#include "search/search_boosts.h"
#include "search/search_find.h"

#define SEARCH_HEAP_MIN 128  /* candidates whose meaning is looked up */
#define SEARCH_FOLD_MAX 1000 /* hits that are looked at for variants, beyond the page */

struct candidate {
	uint32_t number;
	double key;  /* that the heap is ordered by */
	float score; /* as far as it is known */
	float words, share, title, meaning, boost;
	bool has_meaning;
	uint32_t variant_of; /* its place among those that are shown, and 1; 0: it is one of them */
};

struct facet_count {
	const char *attribute;
	struct search_counter *counter;
	uint64_t *allowed; /* without the conditions on the attribute itself; NULL: as all */
	uint64_t *near;	   /* of these, the hits by meaning */
};

struct sequence_bits {	       /* what is known of a sequence */
	uint64_t *has, *known; /* documents that have it; those of which that was looked up */
};

struct finding {
	const struct search_find *f;
	struct arena *arena;
	struct search_results *ret;
	struct search_corpus_view view;
	const struct search_ranking *ranking;
	struct search_clauses clauses;
	struct sequence_bits required[SEARCH_CLAUSES_MAX], excluded[SEARCH_CLAUSES_MAX];
	struct search_walk *walk;
	float total;	      /* of the walk; 0: no words */
	bool has_facets_near; /* some facet counts hits by meaning of its own */
	bool is_satisfied;    /* by the conditions: each allowed document is a hit */
	uint64_t *allowed;
	uint32_t n_allowed;
	uint32_t dropped;	 /* constraints, as bits */
	struct vector_hit *near; /* by number */
	size_t n_near, at_near;
	struct search_boosts boosts;
	const struct search_sort_keys *sort;
	struct facet_count facets[SEARCH_FACETS_MAX];
	size_t n_facets;
	uint32_t n_read;	/* documents, for phrases */
	struct candidate *heap; /* the worst first */
	size_t n, cap;
	struct candidate *shown; /* the heap in order, or one of each thing */
	size_t n_shown;
	struct search_window *window;
	uint16_t *places; /* of the hits in the window */
	size_t n_places;
	uint32_t *matched; /* with `matched_max`: the first ones that are counted */
};

/* By what is known of it. */
float search_find_score(const struct finding *k, const struct candidate *c);
bool search_find_is_worse(const struct candidate *a, const struct candidate *b);

static inline bool search_find_has_meaning(const struct finding *k)
{
	return k->f->meanings.query && k->f->mode != SEARCH_LEXICAL;
}

/* The candidates in their final order. */
int search_page_order(struct finding *k, struct err *err);
/* Fills the results' hits with those of the page. */
int search_page_show(struct finding *k, struct err *err);
