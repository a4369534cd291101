/*
 * Understanding a query without a language model: "quiet mechanical keyboard under $100, not
 * refurbished, cheapest first" becomes conditions on attributes, an order, and the words that are
 * left. A grammar of numbers, comparisons, units and negation, and gazetteers made of the
 * catalogue's own values. Deterministic: the same query and vocabulary give the same answer.
 *
 * The vocabulary is immutable once it is made; any number of threads may use it. What is understood
 * lives in the caller's arena.
 */
#pragma once

#include "search/search_filter.h"
#include "search/search_rules.h"

#define SEARCH_QUERY_MAX       4096 /* bytes of a query's text */
#define SEARCH_QUERY_WORDS_MAX 128  /* words of it that are looked at */
#define SEARCH_CONSTRAINTS_MAX 16

struct search_vocabulary;

/* One value of a text attribute, with the number of documents that have it. */
struct search_value {
	const char *text;
	uint32_t documents;
};
/* The catalogue as the vocabulary sees it while it is made. */
struct search_catalogue {
	const struct search_collection *rules; /* its attributes; lives as long as the vocabulary */
	uint32_t documents;
	/* The values of an attribute (its number in `rules`), in any order; called for those of
	 * type TEXT with ask other than NO. */
	void (*values)(void *arg, size_t attribute,
		       void (*each)(void *to, const struct search_value *v), void *to);
	/* How many documents have a word (folded, not stemmed) anywhere: a brand that most of its
	 * word's documents are not of is a word first, and only words that no document has are
	 * taken for misspelled names. NULL: not known; values are trusted, nothing is misspelled.
	 */
	uint32_t (*word)(void *arg, struct str word);
	void *arg;
};

struct search_vocabulary *search_vocabulary_new(const struct search_catalogue *c);
struct search_vocabulary *search_vocabulary_free(struct search_vocabulary *v);
DEFINE_CLEANUP(struct search_vocabulary *, search_vocabulary_free)

/* Bytes of the query's text. */
struct search_span {
	uint32_t start, end;
};

struct search_constraint {
	struct search_filter filter;
	enum search_ask ask; /* FILTER or BOOST */
	struct search_span span;
	/* Its words are searched for too: brand and category say what it is called. */
	bool keeps_words;
	uint32_t bit;	     /* gives it up: in search_understanding.without */
	double certainty;    /* 0..1; the least certain one is given up first */
	const char *reading; /* for people: "price below $100" */
};

/* What the words that are left ask for. */
struct search_phrase {
	struct search_span span; /* without its quotes or minus */
	bool is_exact;		 /* in quotes: these words in this order */
	bool is_excluded;	 /* "-word", "not WORD": documents with it are no hits */
};

struct search_understood {
	const char *query; /* as given, made valid UTF-8 */
	size_t n_constraints, n_phrases;
	struct search_constraint *constraints; /* in the order of the query */
	struct search_phrase *phrases;	       /* all that is not understood, in order */
	struct search_order order;
	struct search_span order_span; /* of the words that ask for it */
	const char *order_reading;
	/* The query without the words of constraints, order, exclusions, and of "for", "with" and
	 * their like at its ends; words that `keeps_words` stay. What an embedder is given. */
	const char *text;
};

#define SEARCH_WITHOUT_ORDER	  (1U << 16) /* as `without`: the order of the query */
#define SEARCH_WITHOUT_EXCLUSIONS (1U << 17) /* and "not WORD", "-word" */

struct search_understanding { /* how; zero is the default */
	/* Constraints not to be made, by their `bit`: removed by a person, or relaxed. Their words
	 * are searched for like any others. A constraint's bit is the same whatever else is given
	 * up, for the same query and vocabulary. */
	uint32_t without;
	bool only_words; /* nothing is understood, but quotes and "-word" */
};

/* Never fails: what is not understood is words. Bytes beyond SEARCH_QUERY_MAX are left out. */
void search_query_understand(const struct search_vocabulary *v, struct str query,
			     const struct search_understanding *how, struct arena *arena,
			     struct search_understood *ret);
