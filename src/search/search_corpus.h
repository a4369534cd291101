/*
 * One collection as it is searched by words and attributes: its records on disk
 * (search_store.h), and in memory the dictionary, the inverted index and the columns made from
 * them. Documents have the same numbers here and in the vectors.
 *
 * Threads: one writer, which puts and removes documents; any thread asks for numbers; any number
 * read between search_corpus_lock() and search_corpus_unlock(). A writer waits for readers that are
 * there, and lets nobody in before it: each put holds the lock for some microseconds.
 */
#pragma once

#include "search/search_analyzer.h"
#include "search/search_record.h"
#include "search/search_terms.h"

struct search_corpus;

struct search_corpus_options {
	const char *path;		       /* of its file; made when missing */
	const struct search_collection *rules; /* live as long as the corpus */
	uint64_t hash;			       /* of the rules: records of others are dropped */
	const char *language;		       /* search_analyzer.h */
};

/* Reads the file, which takes some seconds for a million documents. ERR_CORRUPTED: only removing
 * the file helps. */
int search_corpus_open(const struct search_corpus_options *options, struct search_corpus **ret,
		       struct err *err) _must_check_;
struct search_corpus *search_corpus_free(struct search_corpus *c);
DEFINE_CLEANUP(struct search_corpus *, search_corpus_free)

/* All documents have to be read. */
bool search_corpus_is_stale(const struct search_corpus *c);

/* --- numbers: any thread --------------------------------------------------------------------- */

/* The key's number, which is made, and durable, when it has none yet. ERR_LIMIT: there are
 * SEARCH_NUMBERS_MAX. */
int search_corpus_number(struct search_corpus *c, struct str key, uint32_t *ret, struct err *err)
    _must_check_;
/* What the numbers mean; another one when they were given anew. */
uint64_t search_corpus_space(const struct search_corpus *c);
/* Numbers are below, as far as they were given when it was opened. */
uint32_t search_corpus_known(const struct search_corpus *c);
/* False: it has none. Not between lock and unlock, as neither is search_corpus_number(). */
bool search_corpus_find(struct search_corpus *c, struct str key, uint32_t *ret);

/* --- writing --------------------------------------------------------------------------------- */

/* Searchable when it returns, durable after search_corpus_sync(). A document that is as it was
 * changes nothing. ERR_LIMIT: this document is too large. */
int search_corpus_put(struct search_corpus *c, struct str key, const bson_t *document,
		      struct err *err) _must_check_;
int search_corpus_remove(struct search_corpus *c, struct str key, struct err *err) _must_check_;
int search_corpus_sync(struct search_corpus *c, struct err *err) _must_check_;
/* Overwrites on disk what documents were that changed or went, and makes the file smaller and the
 * scores right again where that pays. Now and then. */
int search_corpus_tidy(struct search_corpus *c, struct err *err) _must_check_;

/* Scores all documents anew, by the weights that the rules have now: for tuning. */
int search_corpus_reweigh(struct search_corpus *c, struct err *err) _must_check_;

/* Of a scan of all documents: nothing is seen yet; what is put or removed is. */
void search_corpus_scan_begin(struct search_corpus *c);
/* A document that stays as it is, though it was not read. */
void search_corpus_see(struct search_corpus *c, struct str key);
/* Documents that were not seen; at most `max` keys, in the arena. */
size_t search_corpus_unseen(struct search_corpus *c, struct arena *arena, struct str *ret,
			    size_t max);

/* --- reading --------------------------------------------------------------------------------- */

void search_corpus_lock(struct search_corpus *c);
void search_corpus_unlock(struct search_corpus *c);

/* The rest: locked, or the writer. */
struct search_corpus_view {
	const struct search_collection *rules;
	const struct search_terms *terms;
	const struct search_lexical *lexical;
	const struct search_columns *columns;
	const uint64_t *live; /* a bit for each document that is there */
	size_t words;	      /* of `live` */
	uint32_t documents;
	uint32_t numbers; /* that were given; documents are below */
};
void search_corpus_view(const struct search_corpus *c, struct search_corpus_view *ret);
struct str search_corpus_key(const struct search_corpus *c, uint32_t number);
/* ERR_NOT_FOUND: it is not there. Texts belong to the arena. */
int search_corpus_record(const struct search_corpus *c, uint32_t number, struct arena *arena,
			 struct search_record *ret, struct err *err) _must_check_;

/* The record as it is on disk; the bytes are in `b`, which is emptied before. ERR_NOT_FOUND. */
int search_corpus_bytes(const struct search_corpus *c, uint32_t number, struct strbuf *b,
			struct str *ret, struct err *err) _must_check_;

/* The rating that the words of a document speak of (search_opinion.h); NaN: nothing to tell. */
double search_corpus_infer(const struct search_corpus *c, struct search_analyzer *analyzer,
			   const struct search_record *r);

struct search_corpus_stats {
	uint32_t documents, numbers;
	size_t terms, memory_bytes;
	uint64_t disk_bytes;
};
void search_corpus_stats(struct search_corpus *c, struct search_corpus_stats *ret); /* locks */
