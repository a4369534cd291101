/*
 * The rules of rules/search.yaml: which collections are found by meaning, and how the text of a
 * document is put together from its fields. docs/index.md describes the language.
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

struct search_collection {
	const char *name;
	const char *title; /* path of what a hit is shown by; NULL: none */
	size_t words;	   /* of the whole text, at most */
	size_t n_compositions;
	struct search_composition *compositions;
	const struct mapping *mapping; /* after binding; NULL: no mapping makes it */
};

struct search_rules;

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
/* Changes whenever texts may come out differently: hash of the file, of the way texts are made, and
 * of the mappings that they are bound to, which also say what is personal. */
uint64_t search_rules_hash(const struct search_rules *r);
