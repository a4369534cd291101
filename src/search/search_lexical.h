/*
 * The inverted index of one collection, in memory: which documents have a term, in which fields,
 * and how much the term says about each of them.
 *
 * Scores are BM25F (Robertson, Zaragoza, Taylor, "Simple BM25 extension to multiple weighted
 * fields"): a term's counts in the fields of a document, each divided by how long the field is
 * beside the average, are weighed and added up before they are saturated, once:
 *
 *	tf = sum over fields of weight * count / (1 - b + b * length / average)
 *	score = idf * tf / (k1 + tf),  idf = ln(1 + (N - n + 0.5) / (n + 0.5))
 *
 * Everything but the idf is known when a document is put; it is kept in 12 bits on a scale of
 * logarithms, a step of which is 0.3 %. So the averages are those of the time when the index was
 * made; who owns it makes a new one when they have moved.
 *
 * Postings stand in blocks, one for each window of 4,096 documents, sorted, 4 bytes each, with the
 * highest score of the block: documents of a window that cannot reach the hits that are known are
 * counted and not scored (block-max pruning). Documents are put, changed and removed in place.
 *
 * Threads: one that writes, none that reads meanwhile (the owner's lock); any number that read.
 */
#pragma once

#include "base/mem.h"
#include "search/search_rules.h"

#define SEARCH_WINDOW	    4096
#define SEARCH_WINDOW_WORDS (SEARCH_WINDOW / 64)
#define SEARCH_CLAUSES_MAX  64

struct search_weights {
	double k1;
	size_t n_fields;
	struct {
		double weight, b, average; /* length, in the unit of `average` */
	} fields[SEARCH_FIELDS_MAX];
};

struct search_lexical;

struct search_lexical *search_lexical_new(const struct search_weights *weights);
struct search_lexical *search_lexical_free(struct search_lexical *lx);
DEFINE_CLEANUP(struct search_lexical *, search_lexical_free)
size_t search_lexical_memory(const struct search_lexical *lx); /* bytes, roughly */

/* A word counts as four, a piece of one ("aa" in "AQ731AA") as one. */
#define SEARCH_COUNT_WORD  4
#define SEARCH_COUNT_PIECE 1

struct search_occurrence {
	uint32_t term;
	uint8_t field;
	uint16_t count; /* in quarters of a word */
};
/* A document's terms, sorted by term; those that it had already are replaced, others stay.
 * `lengths`: words of each field. */
void search_lexical_put(struct search_lexical *lx, uint32_t document,
			const struct search_occurrence *items, size_t n, const uint32_t *lengths);
/* It has these terms no longer. */
void search_lexical_remove(struct search_lexical *lx, uint32_t document, const uint32_t *terms,
			   size_t n);
uint32_t search_lexical_documents(const struct search_lexical *lx, uint32_t term);
/* The bits of the fields in which the document has the term. */
uint8_t search_lexical_fields(const struct search_lexical *lx, uint32_t term, uint32_t document);
/* Sets the bit of each document that has all the terms. `bits` is as long as `words` times 64
 * documents; what is beyond is left out. */
void search_lexical_mark(const struct search_lexical *lx, const uint32_t *terms, size_t n,
			 uint64_t *bits, size_t words);

/* --- asking ---------------------------------------------------------------------------------- */

/* One way to say what a clause asks for: a document has it when it has all the terms. */
struct search_variant {
	const uint32_t *terms;
	size_t n;
	float weight; /* 1; less for what was not typed like that */
};
/* A word of the query, with its variants; the best that a document has counts. */
struct search_clause {
	const struct search_variant *variants;
	size_t n;
	float weight;
};

struct search_scoring {
	const struct search_clause *clauses;
	size_t n;
	uint32_t documents; /* of the collection, for the idf */
	uint8_t title;	    /* bits of the fields that are the title */
};

struct search_scores { /* of a document; four floats, which are added at once */
	float score;
	float share;  /* of the query that it has, by weight: 1 is all of it */
	float titled; /* of the query that it has in its title */
	float unused;
};

/* Of one window, by the low 12 bits of a document's number. */
struct search_window {
	uint64_t any[SEARCH_WINDOW_WORDS];    /* has a clause at least */
	uint64_t scored[SEARCH_WINDOW_WORDS]; /* and one that is wanted */
	struct search_scores
	    at[SEARCH_WINDOW]; /* only when scored, and only where `scored` is set */
};

struct search_walk; /* a query's; in its arena */

struct search_walk *search_walk_new(const struct search_lexical *lx, const struct search_scoring *s,
				    struct arena *arena);
/* The sum of what each clause can reach: scores divided by it are between 0 and 1. */
float search_walk_total(const struct search_walk *w);
/* The first window at or behind this one that has a posting; UINT32_MAX: none. */
uint32_t search_walk_next(struct search_walk *w, uint32_t window);
/* No document of the window has a score above this. */
float search_walk_bound(struct search_walk *w, uint32_t window);
/* The same for each clause by itself; `ret` has room for all. Returns how many there are. */
size_t search_walk_most(struct search_walk *w, uint32_t window, struct search_scores *ret);
/* Windows are asked for in ascending order. `wanted`: clauses, as bits; documents that have none of
 * them are counted only (MaxScore; Turtle, Flood, "Query evaluation: strategies and
 * optimizations"). */
void search_walk_score(struct search_walk *w, uint32_t window, uint64_t wanted,
		       struct search_window *ret);
void search_walk_count(struct search_walk *w, uint32_t window, uint64_t *any);
/* What one document gets for each clause, for explaining: `scores` has room for all clauses. */
void search_walk_explain(const struct search_walk *w, uint32_t document, float *scores);
