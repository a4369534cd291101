/*
 * The rules of rules/search.yaml: which collections are searched, and how the text of a
 * document is put together from its fields. The head of that file describes the language.
 *
 * Rules are read (search_rules_load), bound to the mappings, which say what fields there are and
 * which of them are personal (search_rules_bind), and from then on immutable: any number of threads
 * may use them. Texts live as long as the rules.
 */
#pragma once

#include "mapping/mapping.h"

#define SEARCH_WORDS_DEFAULT 180 /* all-MiniLM-L6-v2 reads 256 tokens, about 1.3 a word */
#define SEARCH_WORDS_MAX     5000
#define SEARCH_LIMIT_DEFAULT 12 /* values of an array */
#define SEARCH_LIMIT_MAX     1000

enum search_part_kind {
	SEARCH_PART_SAY,   /* a text of the rules */
	SEARCH_PART_FIELD, /* the values at a path; arrays on the way are walked */
	SEARCH_PART_PAIRS, /* names and values of the object at a path */
};

struct search_word { /* a value and what to say for it */
	const char *value, *word;
};

struct search_part {
	enum search_part_kind kind;
	const char *text;  /* SAY: the text; else the path */
	const char *label; /* before the values; NULL: none */
	const char *join;  /* between values */
	const char *none;  /* instead of nothing; NULL: the part is left out */
	size_t limit;	   /* values at most */
	size_t words;	   /* at most; 0: no bound of its own */
	bool has_numbers;  /* PAIRS: those whose value is a number too */
	bool once;	   /* FIELD: values that the text holds already are left out */
	size_t n_words_for, n_skip;
	struct search_word *words_for; /* `words_for: {5: excellent}` */
	const char **skip;	       /* PAIRS: names that are left out */
};

/* One way to make the text, for documents that have one of `values` at `when`. */
struct search_composition {
	const char *when; /* NULL: all others */
	size_t n_values, n_parts;
	const char **values;
	struct search_part *parts;
	const char *pii; /* after binding: "free_text (title, text)", NULL: nothing is personal */
};

#define SEARCH_FIELDS_MAX     8
#define SEARCH_ATTRIBUTES_MAX 64   /* of the rules; members of pairs come on top */
#define SEARCH_PHRASES_MAX    1024 /* words of a kind that an attribute may name */

/* What is found by words: the texts of some parts, weighed together. */
struct search_field {
	const char *name;
	double weight; /* of a word in it, beside those of other fields */
	double b;      /* 0: long texts count as short ones; 1: a word counts by its share */
	size_t n_parts;
	struct search_part *parts;
	const char *pii; /* after binding, as above */
};

enum search_type { SEARCH_NUMBER, SEARCH_TEXT, SEARCH_BOOLEAN, SEARCH_DATE };

/* What a query's words about an attribute become. */
enum search_ask {
	SEARCH_ASK_NO,	   /* nothing: it is for explicit filters, facets and sorting */
	SEARCH_ASK_FILTER, /* a condition that each hit fulfils */
	SEARCH_ASK_BOOST,  /* hits that fulfil it come first */
};

struct search_unit {	  /* "16 GB": the number, times the factor, is the attribute's value */
	const char *word; /* "gb", "$": before or behind the number */
	double factor;
};

struct search_meaning { /* "terrible": {max: 2}; NUMBER */
	const char *word;
	double min, max; /* -INFINITY and INFINITY: no bound */
};

/* A typed column: what hits are filtered, sorted and counted by. */
struct search_attribute {
	const char *name; /* "price", "brand" */
	enum search_type type;
	enum search_ask ask;
	/* Values at all of them; arrays on the way are walked. For `pairs` there is one: each
	 * member of the object is an attribute "<name>.<member>", of the type of its values. */
	size_t n_paths;
	const char **paths;
	bool is_pairs;
	bool has_facet;		     /* counted without being asked for */
	double valid_min, valid_max; /* NUMBER: values beyond are errors of the data: left out */
	const char *split; /* TEXT: characters between several values of one text; NULL: none */
	bool is_above;	   /* BOOLEAN: whether the number is above `above` */
	double above;
	double boost; /* what fulfilling it is worth, as a boost, beside others */
	/* A boost that nobody asked for: of what can be bought, of what is liked. BOOLEAN: when it
	 * is true; NUMBER with `valid` bounds: by how far it is from the least. 0: none. */
	double prefer;
	const char *title; /* for people: "price"; the name when not given */
	const char *unit;  /* of numbers, for people: "GB", "$" */
	/* Understanding: how people name it ("ram", "memory"), its units, and between which values
	 * a number without a name is taken for it ("16 gb" is memory, "512 gb" is storage). */
	size_t n_words, n_units;
	const char **words;
	struct search_unit *units;
	bool has_usual, has_near;
	double usual_min, usual_max;
	double near;   /* a number alone, with its unit, is what is so near: 15 inches are 15.6 */
	bool is_least; /* a number alone, with its unit, counts: for what has at least that */
	bool is_kind;  /* its values are what things are: no filter in "KEYBOARD tray" */
	bool keeps_words; /* what names its values is searched for as words too */
	/* A filter only where the query also filters by one of these values of this attribute, a
	 * boost elsewhere: "32 inch" is the diagonal of a television, not of its wall mount. */
	const char *within; /* NULL: everywhere */
	size_t n_within;
	const char **within_values;
	/* Other words for a value: {"in_store": ["in the store"]}; BOOLEAN: "true" and "false". One
	 * word may stand for several values: each has an entry. */
	size_t n_values, n_meanings;
	struct search_word *values;
	struct search_meaning *meanings;
	/* Words that ask for an order: "cheapest", "newest". */
	size_t n_ascending, n_descending;
	const char **ascending, **descending;
	/* Words that compare it: "longer", "heavier"; "cheaper", "lighter". */
	size_t n_more, n_less;
	const char **more, **less;
	const char *pii; /* after binding; NULL: nothing is personal */
};

#define SEARCH_SHOWN_MAX 16

struct search_shown { /* what a hit shows besides its title and its attributes */
	const char *name, *path;
	size_t limit;	 /* values at most, as a list; 0: the first value alone */
	const char *pii; /* after binding; NULL: nothing is personal */
};

/*
 * How hits are put in order. A score is the sum of what each signal says, between 0 and 1, times
 * its weight: how well the words fit (BM25F, as a share of the most that the query can reach), how
 * many of them there are, and whether they stand in the first field, the title; how near the
 * meaning is; which boosts are fulfilled.
 */
struct search_ranking {
	double k1; /* BM25F: how soon more of the same word says no more */
	double words, share, title, meaning, boost;
	double nearest; /* a cosine from which on a document is a hit by its meaning alone */
};

#define SEARCH_SAME_MAX 8

/* What "more like this" looks at besides meaning and words (search_similar.c). */
struct search_same {
	size_t attribute; /* its place: a text that both have, a number near the other's, a yes */
	double weight;	  /* added to the nearness, which is at most 1 */
};
struct search_likeness {
	const char *meaning; /* how nearness is called: "near in meaning" */
	size_t n_same, n_ask, n_apart;
	struct search_same *same;
	uint64_t fields; /* bits of those whose words count */
	bool has_fields; /* they are said; else all that are not personal */
	/* Documents are one thing in several variants from this cosine on, or when their titles
	 * differ by numbers and values of the attributes `apart` only. 0: each is another thing. */
	double twin;
	size_t *apart;
	const char **ask; /* "similar to": behind it, in a query, stands the key of a document */
};

struct search_recommending {
	size_t n_only;
	const char **only; /* conditions that what is recommended fulfils, as written */
	double together, profile, popular; /* what each signal weighs */
};

struct search_collection {
	const char *name;
	const char *title;     /* path of what a hit is shown by; NULL: none */
	const char *title_pii; /* after binding; NULL: nothing is personal */
	size_t words;	       /* of the whole text, at most */
	size_t n_compositions;
	struct search_composition *compositions;
	struct search_ranking ranking;
	struct search_likeness likeness;
	struct search_recommending recommending;
	size_t n_fields, n_attributes;
	size_t n_qualities, n_noise;
	const char **qualities; /* words that say how a thing is, not what: "quiet" */
	const char **noise;	/* words that say nothing here: "products" */
	struct search_field *fields;
	struct search_attribute *attributes;
	size_t n_shown;
	struct search_shown *shown;
	/* The rating that the words of some fields speak of is inferred: from the numbers of this
	 * attribute, and the bits of these fields; 0: it is not. */
	uint16_t opinion;
	uint8_t opinion_fields;
	const struct mapping *mapping; /* after binding; NULL: no mapping makes it */
};

/* After binding: whether anything that is searched or shown is personal. */
bool search_rules_is_personal(const struct search_collection *c);

struct search_rules;

/* What people call a part of the shop: "services" are some of the products. */
struct search_scope {
	const char *name, *collection;
	size_t n_filters;
	const char **filters; /* as written (search_filter.h) */
};

/* Errors name file:line:column, and the nearest key where one is wrong. */
int search_rules_load(const char *path, struct search_rules **ret, struct err *err) _must_check_;
int search_rules_parse(const char *file, struct str text, struct search_rules **ret,
		       struct err *err) _must_check_;
struct search_rules *search_rules_free(struct search_rules *r);
DEFINE_CLEANUP(struct search_rules *, search_rules_free)

/*
 * Compares every path with what the mappings produce; ERR_INVALID_ARGUMENT for one that none does.
 * A collection that no mapping makes is left alone (`mapping` NULL): the shop's rules go with other
 * mappings too. Again with other mappings: the rules forget the former ones, also when it fails.
 */
int search_rules_bind(struct search_rules *r, const struct mapping_set *set, struct err *err)
    _must_check_;

size_t search_rules_collections(const struct search_rules *r,
				const struct search_collection **ret); /* borrowed */
const struct search_collection *search_rules_find(const struct search_rules *r, const char *name);
/* NULL: no such scope. */
const struct search_scope *search_rules_scope(const struct search_rules *r, const char *name);
/* Changes whenever texts may come out differently: hash of the file, of the way texts are made, and
 * of the mappings that they are bound to, which also say what is personal. */
uint64_t search_rules_hash(const struct search_rules *r);
