/*
 * The text of a document, as the rules say: what an embedder turns into its vector. The same
 * document and rules give the same bytes, on every machine: valid UTF-8, one space between words,
 * no markup.
 *
 * Thread-safe: nothing is kept.
 */
#pragma once

#include "search/search_rules.h"

#define SEARCH_TEXT_MAX	 ((size_t)64 << 10) /* bytes; what is beyond is cut at a word */
#define SEARCH_TITLE_MAX ((size_t)512)

/*
 * Makes the text and the title in the buffers, which are emptied before; either may come out empty.
 * Returns which of the collection's compositions it was.
 */
const struct search_composition *search_text_make(const struct search_collection *c,
						  const bson_t *doc, struct strbuf *text,
						  struct strbuf *title);

/* Of what search_text_make() made, never 0: what a vector was made of. */
uint64_t search_text_hash(const struct strbuf *text, const struct strbuf *title);

/*
 * Appends `s` cleaned: white space and control characters become one space each run, bytes that are
 * no UTF-8 and HTML tags too, the five entities of XML and &nbsp; their characters. Nothing at the
 * ends; a space before it when the buffer does not end in one. At most `words` words (0: all).
 */
void search_text_clean(struct str s, size_t words, struct strbuf *b);

/* Appends the texts of some parts, like sentences. */
void search_text_parts(const struct search_part *parts, size_t n, const bson_t *doc,
		       struct strbuf *text);
/* Appends the first value at the path that says something, cleaned. NULL: none. */
void search_text_title(const char *path, const bson_t *doc, struct strbuf *title);

/* Calls fn for each value at the path; arrays on the way and at the end are walked in order. */
typedef bool (*search_value_at_fn)(void *arg, const bson_iter_t *v); /* false ends it */
void search_text_each(const bson_t *doc, const char *path, search_value_at_fn fn, void *arg);
/* Of one value: itself, or what an array holds. */
void search_text_each_in(bson_iter_t v, search_value_at_fn fn, void *arg);
/* Appends a scalar as text, not cleaned; nothing for null, objects and arrays. */
void search_text_scalar(const bson_iter_t *v, struct strbuf *b);
