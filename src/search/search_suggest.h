/*
 * What is suggested to who types: words and pairs of words of titles, and the values of attributes,
 * such as categories and brands, each with the number of documents it leads to.
 *
 * Suggestions are made from a corpus piece by piece, by its writer, and are immutable from then on:
 * any number of threads may look. Collections in which anything is personal have none.
 */
#pragma once

#include "search/search_corpus.h"

#define SEARCH_SUGGESTIONS_MAX	 20
#define SEARCH_SUGGEST_WORDS_MAX 12 /* of what was typed */

struct search_suggestions;
struct search_suggest_maker;

bool search_suggest_may(const struct search_collection *rules);

/* --- making: the corpus' writer -------------------------------------------------------------- */

int search_suggest_maker_new(const struct search_collection *rules, const char *language,
			     struct search_suggest_maker **ret, struct err *err) _must_check_;
struct search_suggest_maker *search_suggest_maker_free(struct search_suggest_maker *m);
/* Takes so many documents more; false: there are no more. Documents that change meanwhile may be
 * counted as they were. */
bool search_suggest_maker_step(struct search_suggest_maker *m, struct search_corpus *corpus,
			       size_t documents);
/* Frees the maker. */
struct search_suggestions *search_suggest_maker_end(struct search_suggest_maker *m,
						    const struct search_corpus *corpus);
struct search_suggestions *search_suggestions_free(struct search_suggestions *s);

/* --- looking --------------------------------------------------------------------------------- */

struct search_completion {
	struct str key;	    /* normalised words; "graphics cards", and "cards" for its end */
	struct str text;    /* as it is shown */
	int attribute;	    /* whose value it is, its place in the rules; -1: words of titles */
	uint32_t documents; /* that had it when this was made */
};
/* Those whose key begins so, with most documents first, at most `max`; live as long as `s`. */
size_t search_suggestions_find(const struct search_suggestions *s, struct str prefix,
			       struct search_completion *ret, size_t max);
/* Single words that `word` may have been meant to be or to begin, the nearest first, then those of
 * most documents. None for a word with a digit or of fewer than four characters. */
size_t search_suggestions_correct(const struct search_suggestions *s, struct str word,
				  bool is_begun, struct str *ret, size_t max);
/* Documents that have this value of the attribute by which words are narrowed ("in Keyboards"). */
uint32_t search_suggestions_total(const struct search_suggestions *s, const char *value);
/* Its place in the rules; -1: there is none. */
int search_suggestions_scope(const struct search_suggestions *s);

/* --- asking (search_suggest_ask.c) ----------------------------------------------------------- */

struct search_prompt {
	const struct search_suggestions *suggestions;
	const struct search_corpus_view *view; /* locked */
	const struct search_corpus *corpus;
	struct search_analyzer *analyzer;
	struct str typed;
	size_t limit; /* at most SEARCH_SUGGESTIONS_MAX */
};

enum search_prompted_kind {
	SEARCH_PROMPTED_WORD,
	SEARCH_PROMPTED_VALUE,
	SEARCH_PROMPTED_SCOPE,
	SEARCH_PROMPTED_DOCUMENT
};
struct search_prompted {
	enum search_prompted_kind kind;
	uint32_t documents;
	const char *text;      /* to be searched for; of a value, the value */
	const char *attribute; /* VALUE, SCOPE: narrowed to this value of it */
	const char *value;
	struct str key; /* DOCUMENT */
};
/* Ranked by documents; at most `limit`. */
size_t search_prompt(const struct search_prompt *p, struct arena *arena,
		     struct search_prompted *ret);
