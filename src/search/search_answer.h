/* The answer to a query as JSON: docs/search.md describes its members. Thread-safe. */
#pragma once

#include "search/search_find.h"

struct search_answer {
	const struct search_collection *rules;
	const struct search_understood *understood;
	const struct search_results *results;
	struct search_analyzer *analyzer;    /* for highlights */
	const struct search_filter *filters; /* asked for besides */
	size_t n_filters;
	struct search_order order; /* asked for */
	const char *mode;
	bool explain, collapse;
	bool only_matched;   /* nothing is explained by what others have, and how many they are */
	bool is_whole;	     /* all documents are in the index */
	const char *without; /* why meaning had no part in it; NULL: it had, or was not asked for */
	int64_t parse_us, embed_us, took_us;
};
/* Appends an object. */
void search_answer_write(const struct search_answer *a, struct strbuf *json);
/* Appends the members of a hit, without braces. */
void search_answer_hit(const struct search_collection *rules, struct str key,
		       const struct search_record *r, struct strbuf *json);
/* A document's key: a number where it is one, else a text. */
void search_answer_key(struct str key, struct strbuf *json);
/* `,"variants":[...]`: keys. */
void search_answer_variants(const struct str *keys, size_t n, struct strbuf *json);
