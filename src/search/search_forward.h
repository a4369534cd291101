/*
 * The forward index: which terms a document has, as numbers of the dictionary, kept beside its
 * record, so that a start need not analyse a million texts again; and the file of the dictionary
 * that these numbers are of.
 *
 * Thread-safe but for the dictionary's file, which is its owner's.
 */
#pragma once

#include "search/search_lexical.h"
#include "search/search_terms.h"

struct search_forward {
	struct search_occurrence *items; /* sorted by term, then by field; one for each */
	size_t n, cap;
};
void search_forward_done(struct search_forward *f);
/* Adds an occurrence; search_forward_sum() then sorts, and makes one of those that are the same. */
void search_forward_add(struct search_forward *f, uint32_t term, uint8_t field, uint16_t count);
void search_forward_sum(struct search_forward *f);

/*
 * As bytes: u64 space of the dictionary, u32 bytes that follow of the terms, and for each term its
 * number as the difference to the one before, the bits of its fields, and its count in each; all
 * three as numbers of 7 bits a byte, the last with the high bit clear.
 */
void search_forward_write(const struct search_forward *f, uint64_t space, struct strbuf *b);
/* Splits `bytes` into terms and what stands behind them. ERR_CORRUPTED. */
int search_forward_split(struct str bytes, struct str *ret_terms, uint64_t *ret_space,
			 struct str *ret_rest, struct err *err) _must_check_;
/* False: the terms are not those of a dictionary of `n_terms`. */
bool search_forward_read(struct str terms, size_t n_terms, struct search_forward *ret);

/* --- the dictionary's file ------------------------------------------------------------------- */

struct search_dictionary;

/*
 * Opens the file, or makes it, and reads its terms, which `search_dictionary_load()` adds to a
 * dictionary that has none yet; `version` is that of the analyzer: terms of another one are
 * dropped. `path` NULL: nothing is kept, and the others do nothing.
 */
int search_dictionary_open(const char *path, uint64_t version, struct search_dictionary **ret,
			   struct err *err) _must_check_;
struct search_dictionary *search_dictionary_free(struct search_dictionary *d);
DEFINE_CLEANUP(struct search_dictionary *, search_dictionary_free)
bool search_dictionary_is_kept(const struct search_dictionary *d);
size_t search_dictionary_count(const struct search_dictionary *d); /* terms of the file */
uint64_t search_dictionary_space(const struct search_dictionary *d);
void search_dictionary_load(struct search_dictionary *d, struct search_terms *ret);
/* Writes the terms that the file has not yet, or no more, of those that `used` has. Durable after
 * search_dictionary_sync(). */
int search_dictionary_save(struct search_dictionary *d, const struct search_terms *terms,
			   const struct search_forward *used, struct err *err) _must_check_;
/* Takes terms that no document has out of the file, and overwrites them; numbers stay. */
int search_dictionary_forget(struct search_dictionary *d, const struct search_terms *terms,
			     const struct search_lexical *lexical, struct err *err) _must_check_;
int search_dictionary_sync(struct search_dictionary *d, struct err *err) _must_check_;
