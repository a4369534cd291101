/*
 * One query over one corpus: from what is asked to the hits, their number, and the counts of
 * facets.
 *
 * A hit fulfils all conditions, and has a word of the query (also by a synonym, or misspelled), or
 * is among the SEARCH_NEAR nearest by meaning with a cosine of at least `nearest` of the rules.
 * Without words and meaning all documents that fulfil the conditions are hits. The total and the
 * facets count exactly these.
 *
 * Thread-safe: the corpus is locked for reading meanwhile. Everything lives in the caller's arena.
 */
#pragma once

#include "search/search_corpus.h"
#include "search/search_query.h"
#include "search/search_synonyms.h"

#define SEARCH_NEAR	    256 /* documents found by meaning alone, at most */
#define SEARCH_LIMIT_HITS   100 /* of a page */
#define SEARCH_OFFSET_MAX   10000
#define SEARCH_FACETS_MAX   32
#define SEARCH_FACET_VALUES 12

enum search_mode { SEARCH_HYBRID, SEARCH_LEXICAL, SEARCH_VECTOR };
enum search_fusion { SEARCH_SUM, SEARCH_RRF };

struct vector_hit;
struct roaring_bitmap_s;

/* Where the meaning of documents is known. */
struct search_meanings {
	const float *query; /* its vector; NULL: there is none, and words alone decide */
	/* The nearest, best first; `filter` may be NULL. */
	int (*nearest)(void *arg, const float *query, const struct roaring_bitmap_s *filter,
		       size_t k, struct vector_hit *ret, size_t *ret_n, struct err *err);
	int (*cosines)(void *arg, const float *query, const uint32_t *numbers, size_t n, float *ret,
		       struct err *err);
	void *arg;
};

struct search_find {
	struct search_corpus *corpus;
	struct search_analyzer *analyzer;	/* the calling thread's */
	const struct search_synonyms *synonyms; /* NULL: none */
	const struct search_understood *understood;
	const struct search_filter *filters; /* asked for besides what is understood */
	size_t n_filters;
	size_t n_scope; /* of them, the first ones: what is searched at all, which nobody chose */
	struct search_order order; /* what is understood counts when this is by relevance */
	enum search_mode mode;
	enum search_fusion fusion;
	size_t limit, offset;
	const char *const *facets; /* NULL: those that the rules count always; may be none */
	size_t n_facets;
	bool explain;
	bool collapse;	    /* things whose titles say the same are one hit: search_twins.h */
	size_t matched_max; /* 0: who is counted is not told one by one */
	struct search_meanings meanings;
	const struct search_ranking *ranking; /* NULL: of the rules */
};

struct search_found {
	uint32_t number;
	struct str key;
	struct search_record record;
	float score;
	/* What it is made of, each between 0 and 1, before weights. */
	float words, share, title, meaning;
	float boost;	      /* what the boosts that it fulfils are worth */
	uint8_t fields;	      /* those with words of the query, as bits */
	double opinion;	      /* the rating that its words speak of; NaN: nothing to tell */
	const float *clauses; /* with `explain`: what each of `words` gives */
	/* With `collapse`: keys of those that would stand between it and the end of the page. */
	const struct str *variants;
	size_t n_variants;
};

struct search_facet_found {
	const char *attribute, *title, *unit;
	const struct search_facet *values;
	size_t n;
	double min, max; /* of numbers; INFINITY, -INFINITY: none */
};

struct search_times { /* microseconds */
	int64_t filter, nearest, walk, finish;
};

struct search_word_used { /* for explaining: a word of the query and what was looked for */
	const char *word;
	const char *variants; /* "tv; televis" */
	uint32_t documents;
};

struct search_results {
	uint64_t total;
	struct search_found *hits;
	size_t n;
	struct search_facet_found *facets;
	size_t n_facets;
	/* All that the total or a facet counts, whether shown or not: keys, unless there are more
	 * than `matched_max`. */
	uint64_t n_matched;
	struct str *matched;
	uint32_t relaxed;      /* constraints that were given up, since nothing was left, as bits */
	bool has_loose_phrase; /* too many documents have its words to look at the order in each */
	uint32_t softened;     /* conditions that were boosts: search_find.c says when */
	uint32_t allowed;      /* documents that fulfil the conditions */
	uint32_t by_meaning;   /* hits by meaning alone */
	uint32_t windows, scored; /* of the corpus, and those whose documents were scored */
	struct search_word_used *used;
	size_t n_used;
	struct str *terms; /* of all variants: what is highlighted */
	size_t n_terms;
	struct search_times times;
};

/* ERR_INVALID_ARGUMENT: a condition, order or facet names what is not there. */
int search_find(const struct search_find *f, struct arena *arena, struct search_results *ret,
		struct err *err) _must_check_;

/* --- clauses (search_clauses.c) -------------------------------------------------------------- */

/* Words one behind the other, which a document has to have, or must not have. */
struct search_sequence {
	struct str text;
	/* A document that has it has all terms of one of these: of its words, or of their pieces.
	 * None: no document has it. */
	struct search_variant sets[2];
	size_t n;
	bool has_order; /* the terms alone do not say whether it has it: search_has_phrase() does */
};

struct search_clauses {
	struct search_clause items[SEARCH_CLAUSES_MAX];
	struct search_word_used used[SEARCH_CLAUSES_MAX];
	size_t n;
	struct search_sequence required[SEARCH_CLAUSES_MAX], excluded[SEARCH_CLAUSES_MAX];
	size_t n_required, n_excluded;
};
/* What the words of a query look for in a dictionary. */
void search_clauses_make(const struct search_corpus_view *view, const struct search_find *f,
			 struct arena *arena, struct search_clauses *ret);

/* --- phrases (search_phrase.c) --------------------------------------------------------------- */

/* Whether the words of the phrase stand in the text one behind the other, as wholes or in pieces.
 */
bool search_has_phrase(const struct search_tokens *text, const struct search_tokens *phrase);
